// SPDX-License-Identifier: Apache-2.0
#include "encrypted/bootstrappers.h"

namespace sinter::encrypted {

Bootstrappers::Bootstrappers(const EncryptedProgram& program, const ckks::Context& context,
                             i64 budget_bytes)
    : program_(program),
      context_(context),
      budget_(budget_bytes),
      made_(program.bootstraps.size()) {
  require(budget_bytes >= 0, ErrorKind::bad_argument, "bootstraps: budget ", budget_bytes);
}

std::shared_ptr<const ckks::Bootstrapper> Bootstrappers::get(i64 entry, ThreadPool& pool) {
  require(entry >= 0 && entry < std::ssize(made_), ErrorKind::bad_argument,
          "bootstraps: expected an entry below ", made_.size(), ", found ", entry);
  const std::lock_guard lock(mutex_);
  if (made_[size_t(entry)] == nullptr) {
    ckks::BootstrapOptions options = program_.bootstraps[size_t(entry)];
    options.memory_budget = budget_ / std::ssize(made_);
    // The context outlives this object, so nobody need own it.
    const std::shared_ptr<const ckks::Context> borrowed(std::shared_ptr<const void>(), &context_);
    made_[size_t(entry)] = ckks::Bootstrapper::create(borrowed, options, pool);
  }
  return made_[size_t(entry)];
}

}  // namespace sinter::encrypted
