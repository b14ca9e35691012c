// SPDX-License-Identifier: Apache-2.0
// Independent check of a program, from nothing but its instruction list and tables.
#pragma once
#include "encrypted/program.h"

namespace sinter::encrypted {

/// Recomputes every level, scale (to a relative 1e-9) and period, and the key manifest.
///
/// checked  inputs come first, in order; operands before what reads them; equal levels, scales and
/// periods at every addition; no level below
///          0 or above the parameters; a value with partial sums is only folded, rescaled or added
///          to; folds halve the period; tables inside their periods; bootstraps of complete values
///          up to 1 at a scale that leaves room for the message ratio; the manifest is exactly what
///          the instructions use; the input and output maps stay inside their values
/// throws   Error(bad_input) naming the instruction, its layer, what was expected and what was
/// found
void check(const EncryptedProgram& program);

/// The keys that the instructions use, recomputed.
ckks::KeyManifest needed_keys(const EncryptedProgram& program);

}  // namespace sinter::encrypted
