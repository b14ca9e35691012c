// SPDX-License-Identifier: Apache-2.0
#include "cli/key_files.h"

#include <fmt/format.h>

#include <memory>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "ckks/serialize.h"

namespace sinter::cli {
namespace {

namespace fs = std::filesystem;

/// The keys of the file beside the compressed one, if they can be used in its place; a warning when
/// they cannot. What was checked is what is used: the file is opened once.
std::optional<ckks::EvaluationKeys> read_expanded(const ckks::Context& context,
                                                  const fs::path& expanded,
                                                  const MappedFile& compressed,
                                                  const std::shared_ptr<ckks::KeyChecks>& checks) {
  std::error_code error;
  if (!fs::exists(expanded, error)) return std::nullopt;
  std::string reason = "was not made from " + compressed.path().string();
  try {
    const std::shared_ptr<const MappedFile> file = MappedFile::open(expanded);
    if (ckks::is_expansion_of(file->bytes(), compressed.bytes(), expanded.string()))
      return ckks::map_evaluation_keys(context, file, checks);
  } catch (const Error& e) {
    reason = e.what();
  }
  fmt::print(stderr, "sinter: warning: {} is not used: {}; `sinter expand-keys` makes it again\n",
             expanded.string(), reason);
  return std::nullopt;
}

}  // namespace

ServerKeys read_evaluation_keys(const ckks::Context& context, const fs::path& path,
                                ThreadPool& pool, const std::shared_ptr<ckks::KeyChecks>& checks) {
  const auto file = MappedFile::open(path);
  if (ckks::kind_of(file->bytes(), path.string()) == ckks::ObjectKind::expanded_keys)
    return {ckks::map_evaluation_keys(context, file, checks), true};
  if (std::optional<ckks::EvaluationKeys> keys =
          read_expanded(context, ckks::expanded_path(path), *file, checks))
    return {std::move(*keys), true};
  return {ckks::load_evaluation_keys(context, file->bytes(), path.string(), pool), false};
}

}  // namespace sinter::cli
