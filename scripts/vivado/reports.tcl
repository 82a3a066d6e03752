# SPDX-License-Identifier: Apache-2.0
# What the implemented design costs and how fast it is: reports for people, and the same figures as
# utilization.json and timing.json for scripts/vivado/figures.py.

# Worst slack in ns of a kind of path (setup, hold); empty if the design has no such path.
proc worst_slack {kind} {
  set path [get_timing_paths -$kind -max_paths 1 -nworst 1]
  if {[llength $path] == 0} {
    return ""
  }
  return [get_property SLACK $path]
}

proc read_text {path} {
  set file [open $path]
  set text [read $file]
  close $file
  return $text
}

# Pairs of name and number as a JSON object.
proc write_json {path pairs} {
  set lines {}
  foreach {name value} $pairs {
    lappend lines "  \"$name\": $value"
  }
  set file [open $path w]
  puts $file "{\n[join $lines ",\n"]\n}"
  close $file
}

# Cells of the whole design.  xc7 and UltraScale+ name the same sites differently; a star in the report
# marks a footnote.
proc utilization {report} {
  set found {}
  foreach {name sites} {
    lut {Slice LUTs|CLB LUTs} ff {Slice Registers|CLB Registers} bram36 {Block RAM Tile} dsp {DSPs}
  } {
    if {![regexp "\\|\\s*(?:$sites)\\*?\\s*\\|\\s*(\[0-9]+(?:\[.]\[0-9]+)?)\\s*\\|" $report -> count]} {
      error "report_utilization must tell of $sites"
    }
    lappend found $name $count
  }
  return $found
}

proc write_reports {} {
  global period
  report_utilization -file utilization.rpt
  report_utilization -hierarchical -file utilization_hierarchical.rpt
  report_timing_summary -file timing_summary.rpt
  write_json utilization.json [utilization [read_text utilization.rpt]]
  set timing [list period_ns $period]
  foreach kind {setup hold} {
    set slack [worst_slack $kind]
    lappend timing worst_${kind}_slack_ns [expr {$slack eq "" ? "null" : $slack}]
  }
  write_json timing.json $timing
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
