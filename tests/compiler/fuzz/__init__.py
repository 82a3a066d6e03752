# SPDX-License-Identifier: Apache-2.0
"""Differential fuzzer of hlsc: random C++ programs of its subset, run natively and as RTL.

    make fuzz-hlsc N=300 [SEED=7]    (python -m fuzz -n 300 --seed 7, with tests/compiler on PYTHONPATH)

tree, statements: programs as trees that print as C++; expressions, bodies, programs: random ones, safe
by construction; features: what they are made of; case: a program with its stimuli, as one .cpp file;
native, rtl: many cases in one build each; check: native against RTL; shrink: delta debugging on the
tree.
"""
