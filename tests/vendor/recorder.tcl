# SPDX-License-Identifier: Apache-2.0
# Runs a vendor script in a child interpreter.  A command that Tcl 8.5 does not know goes to the Python
# side as one line of hexadecimal words; the answer is "ok" or "error" and one such word.
# usage: tclsh recorder.tcl SCRIPT    (the working directory is that of the script)

fconfigure stdin -encoding utf-8 -translation lf
fconfigure stdout -encoding utf-8 -translation lf -buffering line

proc encode {text} {
  binary scan [encoding convertto utf-8 $text] H* digits
  return x$digits
}

proc decode {word} {
  return [encoding convertfrom utf-8 [binary format H* [string range $word 1 end]]]
}

proc forward {args} {
  set words {}
  foreach word $args {
    lappend words [encode $word]
  }
  puts "\x01 $words"
  if {[gets stdin line] < 0} {
    exit 9
  }
  lassign $line kind word
  if {$kind eq "error"} {
    error [decode $word]
  }
  return [decode $word]
}

proc finish {{code 0}} {
  exit $code
}

set child [interp create]
# Newer than 8.5, and what a script of a vendor tool has no business with.
foreach command {lmap try throw coroutine yield yieldto tailcall zlib exec socket} {
  if {[$child eval [list info commands $command]] ne ""} {
    $child eval [list rename $command {}]
  }
}
interp alias $child unknown {} forward
interp alias $child exit {} finish
if {[catch {$child eval [list source [lindex $argv 0]]} message]} {
  puts stderr $message
  exit 8
}
exit 0
