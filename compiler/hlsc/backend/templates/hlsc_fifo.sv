// SPDX-License-Identifier: Apache-2.0
// First-word fall-through FIFO of DEPTH words: a word is visible one cycle after it was pushed, and a
// FIFO of two words or more takes and gives one word per cycle, whatever its fill.
//
// The oldest word always lies in an output register, the next ones behind it without gaps, so out_valid
// and out_data come straight from flip-flops and in_ready depends on state only: no combinational path
// runs through the FIFO in either direction (DEPTH 1 therefore gives a word every other cycle).
// DEPTH counts every word that can be held, output register included.
//
// STYLE of the store behind the output register:
//   0  chosen here: shift register up to 2 words, and up to 33 words of at most 16 bits; block RAM from
//      64 words and more than 4096 bits (with less in it a block RAM is wasted); else distributed RAM
//   1  shift register (SRL16E/SRLC32E)    2  distributed RAM    3  block RAM (needs DEPTH >= 4)
module hlsc_fifo #(
    parameter int WIDTH = 8,
    parameter int DEPTH = 2,
    parameter int STYLE = 0
) (
    input  logic             clk,
    input  logic             rst,
    input  logic             in_valid,
    output logic             in_ready,
    input  logic [WIDTH-1:0] in_data,
    output logic             out_valid,
    input  logic             out_ready,
    output logic [WIDTH-1:0] out_data
);
  localparam bit LARGE = DEPTH >= 64 && WIDTH * DEPTH > 4096;
  localparam bit SMALL = DEPTH <= 2 || (DEPTH <= 33 && WIDTH <= 16);
  localparam int KIND = STYLE != 0 ? STYLE : SMALL ? 1 : LARGE ? 3 : 2;

  logic push;
  assign push = in_valid & in_ready;

  if (WIDTH < 1 || DEPTH < 1) begin : g_bad_size
    $fatal(1, "hlsc_fifo: WIDTH and DEPTH must be 1 or more");
  end else if (KIND < 1 || KIND > 3 || (KIND == 3 && DEPTH < 4)) begin : g_bad_style
    $fatal(1, "hlsc_fifo: STYLE must be 0 to 3, and 3 (block RAM) needs DEPTH >= 4");
  end else if (DEPTH == 1) begin : g_one
    assign in_ready = ~out_valid;
    always_ff @(posedge clk) begin
      if (rst) out_valid <= 1'b0;
      else out_valid <= out_valid ? ~out_ready : in_valid;
      if (push) out_data <= in_data;
    end
  end else if (KIND == 1 || KIND == 2) begin : g_small
    // `store` holds what is behind the output register; it is empty unless that register is full.
    localparam int STORE = DEPTH - 1;
    localparam int AW = STORE > 1 ? $clog2(STORE) : 1;
    localparam int CW = $clog2(STORE + 1);
    logic out_take, store_push, store_pop, store_valid, full;
    logic [CW-1:0] store_count, store_count_next;
    logic [WIDTH-1:0] store_data;

    assign in_ready = ~full;
    assign out_take = ~out_valid | out_ready;
    assign store_pop = out_take & store_valid;
    assign store_push = push & (~out_take | store_valid);
    assign store_count_next = store_count + CW'(store_push) - CW'(store_pop);

    always_ff @(posedge clk) begin
      if (rst) begin
        out_valid   <= 1'b0;
        store_valid <= 1'b0;
        store_count <= '0;
        full        <= 1'b0;
      end else begin
        if (out_take) out_valid <= store_valid | push;
        store_valid <= store_count_next != '0;
        store_count <= store_count_next;
        full        <= store_count_next == CW'(STORE);
      end
      if (out_take) out_data <= store_valid ? store_data : in_data;
    end

    if (STORE == 1) begin : g_register
      always_ff @(posedge clk) if (store_push) store_data <= in_data;
    end else if (KIND == 1) begin : g_shift
      // The oldest word of n lies at n - 1.  One vector per bit: the form that maps to addressable SRLs.
      logic [AW-1:0] oldest;
      always_ff @(posedge clk) begin
        if (rst) oldest <= '1;
        else oldest <= oldest + AW'(store_push) - AW'(store_pop);
      end
      for (genvar b = 0; b < WIDTH; b++) begin : g_bit
        logic [STORE-1:0] shift;
        assign store_data[b] = shift[oldest];
        always_ff @(posedge clk) begin
          if (store_push) shift <= STORE'({shift, in_data[b]});
        end
      end
    end else begin : g_lutram
      (* ram_style = "distributed" *) logic [WIDTH-1:0] mem[STORE];
      logic [AW-1:0] head, tail;
      assign store_data = mem[head];
      always_ff @(posedge clk) begin
        if (rst) begin
          head <= '0;
          tail <= '0;
        end else begin
          if (store_pop) head <= head == AW'(STORE - 1) ? '0 : head + 1'b1;
          if (store_push) tail <= tail == AW'(STORE - 1) ? '0 : tail + 1'b1;
        end
        if (store_push) mem[tail] <= in_data;
      end
    end
  end else begin : g_block
    // Output register <- `next` stage (the RAM's own output register, or `bypass` when the RAM was
    // empty) <- RAM.  The RAM holds words only while `next` does, and `next` only while the output
    // register does: so there is never a bubble, and the RAM never reads an address that it writes.
    localparam int STORE = DEPTH - 2;
    localparam int AW = $clog2(STORE);
    localparam int CW = $clog2(STORE + 1);
    logic out_take, next_take, next_valid, next_bypassed, to_out, to_next;
    logic ram_push, ram_pop, ram_valid, full;
    logic [CW-1:0] ram_count, ram_count_next;
    logic [AW-1:0] head, tail;
    logic [WIDTH-1:0] ram_data, bypass;
    (* ram_style = "block" *) logic [WIDTH-1:0] mem[STORE];

    assign in_ready = ~full;
    assign out_take = ~out_valid | out_ready;
    assign next_take = ~next_valid | out_take;
    assign to_out = push & out_take & ~next_valid;
    assign to_next = push & next_take & ~to_out & ~ram_valid;
    assign ram_push = push & ~to_out & ~to_next;
    assign ram_pop = next_take & ram_valid;
    assign ram_count_next = ram_count + CW'(ram_push) - CW'(ram_pop);

    always_ff @(posedge clk) begin
      if (rst) begin
        out_valid  <= 1'b0;
        next_valid <= 1'b0;
        ram_valid  <= 1'b0;
        ram_count  <= '0;
        full       <= 1'b0;
        head       <= '0;
        tail       <= '0;
      end else begin
        if (out_take) out_valid <= next_valid | push;
        if (next_take) next_valid <= ram_valid | to_next;
        ram_valid <= ram_count_next != '0;
        ram_count <= ram_count_next;
        full      <= ram_count_next == CW'(STORE);
        if (ram_pop) head <= head == AW'(STORE - 1) ? '0 : head + 1'b1;
        if (ram_push) tail <= tail == AW'(STORE - 1) ? '0 : tail + 1'b1;
      end
      if (out_take) out_data <= ~next_valid ? in_data : next_bypassed ? bypass : ram_data;
      if (next_take) next_bypassed <= to_next;
      if (to_next) bypass <= in_data;
    end

    always_ff @(posedge clk) begin
      if (ram_push) mem[tail] <= in_data;
      if (ram_pop) ram_data <= mem[head];
    end
  end
endmodule
