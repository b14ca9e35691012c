// SPDX-License-Identifier: Apache-2.0
// The server's files of evaluation keys: compressed as the client sent them, or expanded for
// mapping beside them.
#pragma once
#include <filesystem>
#include <memory>

#include "base/threads.h"
#include "ckks/key_checks.h"
#include "ckks/keys.h"

namespace sinter::cli {

struct ServerKeys {
  ckks::EvaluationKeys keys;
  bool is_mapped = false;
};

/// The keys at `path`: mapped when it is an expanded file or when its expanded form lies beside it
/// (ckks::expanded_path), else loaded. An expanded form of other keys, or one whose header, index
/// or length is damaged, is passed over with a warning on stderr; damage inside a key shows when
/// that key is first used, as Error(bad_input) naming it.
/// checks  shared with other processes that map the file, or nullptr
/// throws  Error(io), Error(bad_input) naming the file
ServerKeys read_evaluation_keys(const ckks::Context& context, const std::filesystem::path& path,
                                ThreadPool& pool,
                                const std::shared_ptr<ckks::KeyChecks>& checks = nullptr);

}  // namespace sinter::cli
