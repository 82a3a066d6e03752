# SPDX-License-Identifier: Apache-2.0
# Runs the steps that settings.tcl names: csim, csynth, cosim, ip.  For Vivado HLS 2019.2 to 2020.1
# (vivado_hls -f), Vitis HLS to 2024.1 (vitis_hls -f) and vitis-run --mode hls --tcl after that.
# The working directory is the project folder.  Tcl 8.5: what the oldest of these tools has.

proc run {} {
  source settings.tcl
  open_project -reset project
  set_top $top
  foreach source $sources {
    add_files -cflags $cflags $source
  }
  add_files -tb -cflags $cflags $testbench
  foreach file $vectors {
    add_files -tb $file
  }
  # Vivado HLS makes an IP for Vivado and nothing else; Vitis HLS wants to be told.
  if {$tool eq "vitis"} {
    open_solution -reset -flow_target vivado solution1
  } else {
    open_solution -reset solution1
  }
  set_part $part
  create_clock -period $period -name default
  set_clock_uncertainty $uncertainty
  source $directives
  lassign $ip vendor library name version
  foreach step $steps {
    switch -- $step {
      csim {
        csim_design -argv $vectors
      }
      csynth {
        csynth_design
      }
      cosim {
        cosim_design -rtl verilog -argv $vectors
      }
      ip {
        export_design -rtl verilog -format ip_catalog -vendor $vendor -library $library \
            -ipname $name -version $version
      }
      default {
        error "step must be csim, csynth, cosim or ip, not $step"
      }
    }
  }
  close_project
}

if {[catch {run} message]} {
  puts stderr "run_hls.tcl: $message"
  exit 1
}
exit 0
