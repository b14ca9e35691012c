// SPDX-License-Identifier: Apache-2.0
// The Bootstrapper of every entry of a program's `bootstraps`, made when first used and kept for
// the next image. Server code: no secret.
#pragma once
#include <memory>
#include <mutex>
#include <vector>

#include "base/threads.h"
#include "ckks/bootstrap.h"
#include "encrypted/program.h"

namespace sinter::encrypted {

/// Belongs to one program and one context, which it borrows. thread: safe to share
class Bootstrappers {
 public:
  static constexpr i64 kBudget = i64(1) << 30;

  /// budget_bytes: of factors encoded ahead, for all bootstraps together; results do not depend on
  /// it.
  Bootstrappers(const EncryptedProgram& program, const ckks::Context& context,
                i64 budget_bytes = kBudget);

  /// cost    the first time 1.2 s and up to the budget at N = 2^16
  /// throws  Error(bad_argument) for an entry that the program does not have
  std::shared_ptr<const ckks::Bootstrapper> get(i64 entry, ThreadPool& pool);

 private:
  const EncryptedProgram& program_;
  const ckks::Context& context_;
  i64 budget_;
  std::mutex mutex_;
  std::vector<std::shared_ptr<const ckks::Bootstrapper>> made_;
};

}  // namespace sinter::encrypted
