// SPDX-License-Identifier: Apache-2.0
// What the owner of the data does around encryption: put a tensor into slots, read the result out
// of slots. Encoding and encryption are ckks'; no key is needed here.
#pragma once
#include <span>
#include <vector>

#include "encrypted/program.h"

namespace sinter::encrypted {

/// The slot values to encode with program.input_scale() at program.input_level().
/// input   float32 or float64 of program.input_dims (a missing leading 1 is accepted)
/// out     program.slots() values
/// throws  Error(bad_argument) for another shape or type; Error(bad_input) for NaN or infinity,
///         naming the element, and for an element beyond program.input_limit
std::vector<double> pack_input(const EncryptedProgram& program, const Tensor& input);

/// The output tensor (float32, program.output_dims) from decoded slots.
/// throws  Error(bad_argument) when there are fewer slots than the output needs
Tensor unpack_output(const EncryptedProgram& program, std::span<const double> slots);

}  // namespace sinter::encrypted
