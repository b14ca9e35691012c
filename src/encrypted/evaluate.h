// SPDX-License-Identifier: Apache-2.0
// One instruction of a program on given operands: what execute() does in the order of the program,
// and a worker for the part that it was given. Server code: no secret.
#pragma once
#include <span>
#include <vector>

#include "base/threads.h"
#include "ckks/evaluate.h"
#include "ckks/linear.h"
#include "encrypted/bootstrappers.h"
#include "encrypted/diagonal_cache.h"
#include "encrypted/program.h"

namespace sinter::encrypted {

/// What instructions are evaluated with. Borrows everything.
struct Resources {
  const ckks::Context& context;
  const ckks::EvaluationKeys& keys;
  ThreadPool& pool;
  DiagonalCache* cache = nullptr;  ///< nullptr encodes every diagonal on the fly
  ckks::LinearOptions linear = {};
  Bootstrappers* bootstrappers = nullptr;  ///< nullptr makes one for every bootstrap
};

/// The value of instruction `index`.
///
/// a, b    its operands, nullptr where it has none; for Opcode::input a is the ciphertext given
/// out     at the level and scale of the instruction
/// throws  Error(bad_argument): operands of other level, scale or parameters; keys that lack one
/// thread  safe with a pool of its own; the bytes of the result depend on the operands alone
ckks::Ciphertext evaluate(const EncryptedProgram& program, i64 index, const ckks::Ciphertext* a,
                          const ckks::Ciphertext* b, const Resources& resources);

/// The same for several images: a[j] and b[j] are the operands of image j (b is empty where there
/// is none), and every result is byte for byte that of its image alone. Diagonals and vectors are
/// encoded once for all, and keys of hoisted rotations are read once.
std::vector<ckks::Ciphertext> evaluate(const EncryptedProgram& program, i64 index,
                                       std::span<const ckks::Ciphertext* const> a,
                                       std::span<const ckks::Ciphertext* const> b,
                                       const Resources& resources);

}  // namespace sinter::encrypted
