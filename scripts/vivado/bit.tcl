# SPDX-License-Identifier: Apache-2.0
# One overlay, from the kernel's IP to .bit and .hwh:  vivado -mode batch -source bit.tcl
# The working directory holds settings.tcl, the other scripts and, for HLS=hlsc, rtl/.  Vivado 2019.2 to
# 2026.1; Tcl 8.5: what the oldest of these has.

foreach script {settings.tcl package_ip.tcl block_design.tcl reports.tcl} {
  source $script
}

# Runs a step of a project to its end; an error if it did not get there.
proc run_step {run jobs} {
  launch_runs $run -jobs $jobs
  wait_on_run $run
  set progress [get_property PROGRESS [get_runs $run]]
  if {$progress ne "100%"} {
    error "$run must reach 100%, not $progress: [get_property STATUS [get_runs $run]]"
  }
}

# Vivado 2020.2 moved what it generates from project.srcs to project.gen.
proc handoff_file {design} {
  set tail sources_1/bd/$design/hw_handoff/$design.hwh
  foreach kind {gen srcs} {
    set path project/project.$kind/$tail
    if {[file exists $path]} {
      return $path
    }
  }
  error "the hardware handoff $tail must be in project.gen or project.srcs"
}

# pynq 4 asks every processing system for its clock under UltraScale+'s name, and stops at a Zynq-7000
# that lacks it (pynqmetadata, proc_sys_core.py): what Vivado wrote gets that parameter too.
proc copy_handoff {from to} {
  global ps_modtype pynq_clock
  set text [read_text $from]
  if {[llength $pynq_clock]} {
    set module [string first "MODTYPE=\"$ps_modtype\"" $text]
    set at [string first <PARAMETERS> $text [expr {$module < 0 ? "end" : $module}]]
    if {$at < 0} {
      error "$from must have a module $ps_modtype with PARAMETERS"
    }
    lassign $pynq_clock name value
    set line "<PARAMETERS>\n<PARAMETER NAME=\"$name\" VALUE=\"$value\"/>"
    set text [string replace $text $at [expr {$at + [string length <PARAMETERS>] - 1}] $line]
  }
  set file [open $to w]
  puts -nonewline $file $text
  close $file
}

proc run {} {
  global part design out_stem jobs hls ip_folder led_constraints
  if {$hls eq "hlsc"} {
    package_ip
  }
  create_project -force -part $part project project
  set_property ip_repo_paths [file normalize $ip_folder] [current_project]
  update_ip_catalog
  make_block_design

  set source [get_files $design.bd]
  # All in one synthesis: the figures are then those of the whole.
  set_property synth_checkpoint_mode None $source
  generate_target all $source
  add_files -norecurse [make_wrapper -files $source -top]
  set_property top ${design}_wrapper [current_fileset]
  if {$led_constraints ne ""} {
    add_files -fileset constrs_1 -norecurse $led_constraints
  }
  update_compile_order -fileset sources_1

  # Flip-flops instead of shift registers in LUTs, whose output comes 1.2 ns later (docs/resources.md).
  set_property STEPS.SYNTH_DESIGN.ARGS.NO_SRLEXTRACT true [get_runs synth_1]
  run_step synth_1 $jobs
  run_step impl_1 $jobs
  open_run impl_1
  write_reports
  check_timing_met
  # Only now: a design that misses its clock leaves no bitstream behind.
  write_bitstream -force $out_stem.bit
  copy_handoff [handoff_file $design] $out_stem.hwh
}

if {[catch {run} message]} {
  puts stderr "bit.tcl: $message"
  exit 1
}
exit 0
