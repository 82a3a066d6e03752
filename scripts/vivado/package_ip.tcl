# SPDX-License-Identifier: Apache-2.0
# hlsc's RTL as an IP with the VLNV, ports and register map that Vitis HLS would give the kernel.
# Bus interfaces come from the attributes in the Verilog wrapper; the register map from settings.tcl.

proc add_registers {core} {
  global registers ip_range
  ipx::remove_all_memory_map $core
  set map [ipx::add_memory_map s_axi_control $core]
  set_property slave_memory_map_ref s_axi_control \
      [ipx::get_bus_interfaces s_axi_control -of_objects $core]
  set block [ipx::add_address_block Reg $map]
  set_property usage register $block
  set_property width 32 $block
  set_property range $ip_range $block
  set_property access read-write $block
  foreach {name offset access description fields} $registers {
    set register [ipx::add_register $name $block]
    set_property address_offset $offset $register
    set_property size 32 $register
    set_property access $access $register
    set_property description $description $register
    foreach {field low width rights} $fields {
      set made [ipx::add_field $field $register]
      set_property bit_offset $low $made
      set_property bit_width $width $made
      set_property access $rights $made
    }
  }
}

proc package_ip {} {
  global part ip ip_folder rtl ip_top title
  create_project -force -part $part package package
  add_files -norecurse $rtl
  set_property top $ip_top [current_fileset]
  update_compile_order -fileset sources_1
  lassign $ip vendor library name version
  ipx::package_project -root_dir [file normalize $ip_folder] -vendor $vendor -library $library \
      -taxonomy /UserIP -import_files -set_current true
  set core [ipx::current_core]
  set_property name $name $core
  set_property version $version $core
  set_property display_name $name $core
  set_property description $title $core
  set_property supported_families {zynq Production zynquplus Production} $core
  add_registers $core
  ipx::create_xgui_files $core
  ipx::update_checksums $core
  ipx::check_integrity $core
  ipx::save_core $core
  close_project
}
