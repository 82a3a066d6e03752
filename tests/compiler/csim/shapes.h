// SPDX-License-Identifier: Apache-2.0
// Included by shapes.cpp: a change here must cause a new build.
static const int kStep = 10;
