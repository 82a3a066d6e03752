# SPDX-License-Identifier: Apache-2.0
# The block design: processing system, two AXI DMAs on two HP ports, kernel and LED register.
# Names and addresses are those of the virtual board's .hwh (rtl_sim/vboard/hwh.py).

# An IP in the newest version that this Vivado has; properties as a list of name and value.
proc add_ip {name vlnv properties} {
  set cell [create_bd_cell -type ip -vlnv $vlnv $name]
  set config {}
  foreach {property value} $properties {
    lappend config CONFIG.$property $value
  }
  if {[llength $config]} {
    set_property -dict $config $cell
  }
}

proc join_interfaces {from to} {
  connect_bd_intf_net [get_bd_intf_pins $from] [get_bd_intf_pins $to]
}

# One source, any number of sinks.
proc join_pins {from sinks} {
  foreach sink $sinks {
    connect_bd_net [get_bd_pins $from] [get_bd_pins $sink]
  }
}

# HLS tools append _r to a port whose name is reserved in VHDL or Verilog, as `out` is; should a release
# stop doing so, its name is taken as it is.
proc result_stream {kernel} {
  foreach name {out_r out} {
    if {[llength [get_bd_intf_pins -quiet $kernel/$name]]} {
      return $kernel/$name
    }
  }
  error "$kernel must have a stream out_r or out"
}

proc map_address {space offset range segment} {
  create_bd_addr_seg -offset $offset -range $range [get_bd_addr_spaces $space] \
      [get_bd_addr_segs $segment] SEG_[string map {/ _} $space$segment]
}

proc make_block_design {} {
  global design kernel kernel_vlnv ps ps_vlnv ps_properties ps_master ps_memories ps_clock ps_reset
  global ps_clock_sinks ps_externals dma_0 dma_1 gpio addresses ip_range ddr_bytes leds
  create_bd_design $design

  add_ip $ps $ps_vlnv $ps_properties
  add_ip reset xilinx.com:ip:proc_sys_reset:* {}
  add_ip axi_dma_0 xilinx.com:ip:axi_dma:* $dma_0
  add_ip axi_dma_1 xilinx.com:ip:axi_dma:* $dma_1
  add_ip axi_gpio_led xilinx.com:ip:axi_gpio:* $gpio
  add_ip control xilinx.com:ip:smartconnect:* {NUM_SI 1 NUM_MI 4}
  add_ip memory_0 xilinx.com:ip:smartconnect:* {NUM_SI 2 NUM_MI 1}
  add_ip memory_1 xilinx.com:ip:smartconnect:* {NUM_SI 1 NUM_MI 1}
  add_ip $kernel $kernel_vlnv {}

  # Streams.
  join_interfaces axi_dma_0/M_AXIS_MM2S $kernel/in0
  join_interfaces axi_dma_1/M_AXIS_MM2S $kernel/in1
  join_interfaces [result_stream $kernel] axi_dma_0/S_AXIS_S2MM

  # Registers.
  join_interfaces $ps/$ps_master control/S00_AXI
  join_interfaces control/M00_AXI $kernel/s_axi_control
  join_interfaces control/M01_AXI axi_dma_0/S_AXI_LITE
  join_interfaces control/M02_AXI axi_dma_1/S_AXI_LITE
  join_interfaces control/M03_AXI axi_gpio_led/S_AXI

  # Memory: a port of the processing system for each DMA.
  foreach {port segment} $ps_memories index {0 1} {
    join_interfaces memory_$index/M00_AXI $ps/$port
  }
  join_interfaces axi_dma_0/M_AXI_MM2S memory_0/S00_AXI
  join_interfaces axi_dma_0/M_AXI_S2MM memory_0/S01_AXI
  join_interfaces axi_dma_1/M_AXI_MM2S memory_1/S00_AXI

  # One clock for everything, one reset behind it.
  set clocked [list reset/slowest_sync_clk control/aclk memory_0/aclk memory_1/aclk \
      axi_dma_0/s_axi_lite_aclk axi_dma_0/m_axi_mm2s_aclk axi_dma_0/m_axi_s2mm_aclk \
      axi_dma_1/s_axi_lite_aclk axi_dma_1/m_axi_mm2s_aclk axi_gpio_led/s_axi_aclk $kernel/ap_clk]
  foreach pin $ps_clock_sinks {
    lappend clocked $ps/$pin
  }
  join_pins $ps/$ps_clock $clocked
  join_pins $ps/$ps_reset reset/ext_reset_in
  join_pins reset/peripheral_aresetn [list control/aresetn memory_0/aresetn memory_1/aresetn \
      axi_dma_0/axi_resetn axi_dma_1/axi_resetn axi_gpio_led/s_axi_aresetn $kernel/ap_rst_n]

  # To the outside.
  foreach {name vlnv} $ps_externals {
    create_bd_intf_port -mode Master -vlnv $vlnv $name
    connect_bd_intf_net [get_bd_intf_pins $ps/$name] [get_bd_intf_ports $name]
  }
  if {$leds > 0} {
    create_bd_port -dir O -from [expr {$leds - 1}] -to 0 leds
    connect_bd_net [get_bd_pins axi_gpio_led/gpio_io_o] [get_bd_ports leds]
  }

  # Addresses.
  foreach {segment offset} $addresses {
    map_address $ps/Data $offset $ip_range $segment
  }
  foreach {port segment} $ps_memories spaces {{axi_dma_0/Data_MM2S axi_dma_0/Data_S2MM} axi_dma_1/Data_MM2S} {
    foreach space $spaces {
      map_address $space 0x00000000 $ddr_bytes $ps/$segment
    }
  }
  validate_bd_design
  save_bd_design
}
