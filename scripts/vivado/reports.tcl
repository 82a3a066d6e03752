# SPDX-License-Identifier: Apache-2.0
# What the implemented design costs and how fast it is: reports, and timing.json for later reading.

# Worst slack in ns of a kind of path (setup, hold); empty if the design has no such path.
proc worst_slack {kind} {
  set path [get_timing_paths -$kind -max_paths 1 -nworst 1]
  if {[llength $path] == 0} {
    return ""
  }
  return [get_property SLACK $path]
}

proc write_reports {} {
  global period
  report_utilization -file utilization.rpt
  report_utilization -hierarchical -file utilization_hierarchical.rpt
  report_timing_summary -file timing_summary.rpt
  set lines {}
  foreach kind {setup hold} {
    set slack [worst_slack $kind]
    lappend lines "  \"worst_${kind}_slack_ns\": [expr {$slack eq "" ? "null" : $slack}]"
  }
  lappend lines "  \"period_ns\": $period"
  set file [open timing.json w]
  puts $file "{\n[join $lines ",\n"]\n}"
  close $file
}

# Every path must have been timed, and none may be late.
proc check_timing_met {} {
  foreach kind {setup hold} {
    set slack [worst_slack $kind]
    if {$slack eq ""} {
      error "timing must be constrained: there is no $kind path"
    }
    if {$slack < 0} {
      error "worst $kind slack must be at least 0 ns, not $slack ns: see timing_summary.rpt"
    }
  }
}
