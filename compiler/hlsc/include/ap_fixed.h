// SPDX-License-Identifier: Apache-2.0
#ifndef HLSC_AP_FIXED_H
#define HLSC_AP_FIXED_H

#error "ap_fixed and ap_ufixed are not supported by hlsc yet; use ap_int with a stated binary point"

#endif  // HLSC_AP_FIXED_H
