// SPDX-License-Identifier: Apache-2.0
// A program as bytes and back (docs/format.md). The reader trusts nothing: every count is bounded
// by the bytes that remain, every index is checked, the digest must fit, and check() runs on the
// result, so a damaged or hand-made file is Error(bad_input) and never a wrong computation.
#pragma once
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "encrypted/program.h"

namespace sinter::encrypted {

/// Deterministic: the same program gives the same bytes.
std::vector<std::byte> save_program(const EncryptedProgram& program);

/// throws  Error(bad_input) naming `name` (the file) and what is wrong
std::shared_ptr<const EncryptedProgram> load_program(std::span<const std::byte> data,
                                                     const std::string& name);

/// The identity that load and compile store in `hash`.
u64 program_hash(const EncryptedProgram& program);

}  // namespace sinter::encrypted
