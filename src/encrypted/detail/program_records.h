// SPDX-License-Identifier: Apache-2.0
// The records of a program file: maps, vectors, instructions and bootstraps (docs/format.md).
// Readers bound every count by the bytes that remain; what the numbers may be is check()'s matter.
#pragma once
#include "base/bytes.h"
#include "encrypted/program.h"

namespace sinter::encrypted::detail {

/// Fewest bytes of one on disk.
inline constexpr i64 kInstructionBytes = 64, kMapBytes = 48, kVectorBytes = 24,
                     kBootstrapBytes = 48;

void write_vector(ByteWriter& out, const SlotVector& v);
SlotVector read_vector(ByteReader& in);

void write_map(ByteWriter& out, const LinearMap& map);
LinearMap read_map(ByteReader& in);

void write_instruction(ByteWriter& out, const Instruction& i);
/// throws  Error(bad_input): an operation that there is not, reserved bytes
Instruction read_instruction(ByteReader& in);

void write_bootstrap(ByteWriter& out, const ckks::BootstrapOptions& o);
ckks::BootstrapOptions read_bootstrap(ByteReader& in);

}  // namespace sinter::encrypted::detail
