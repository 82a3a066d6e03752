set_directive_allocation -limit 2 -type operation echo mul
