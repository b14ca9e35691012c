// SPDX-License-Identifier: Apache-2.0
// What the owner of the data does around encryption: put tensors into slots, read the results out
// of slots. Encryption is ckks'; no key is needed here.
#pragma once
#include <span>
#include <vector>

#include "ckks/ciphertext.h"
#include "ckks/context.h"
#include "encrypted/program.h"

namespace sinter::encrypted {

/// The slot values of every input ciphertext of one run.
/// input   float32 or float64 of program.input_dims (a missing leading 1 is accepted); a program
/// for
///         batches takes 1 to program.batch images along the first dimension
/// out     program.slots() values per input: to be encoded with program.input_scale(), number k at
///         program.input_level(k)
/// throws  Error(bad_argument) for another shape or type; Error(bad_input) for NaN or infinity,
///         naming the element, and for an element beyond program.input_limit
std::vector<std::vector<double>> pack_input(const EncryptedProgram& program, const Tensor& input);

/// The same, encoded: one plaintext per input ciphertext.
std::vector<ckks::Plaintext> encode_input(const EncryptedProgram& program,
                                          const ckks::Context& context, const Tensor& input);

/// The output tensor (float32, program.output_dims) of one image of the run from decoded slots.
/// image   0 to program.batch - 1
/// throws  Error(bad_argument) when there are fewer slots than the output needs, or no such image
Tensor unpack_output(const EncryptedProgram& program, std::span<const double> slots, i64 image = 0);

}  // namespace sinter::encrypted
