// SPDX-License-Identifier: Apache-2.0
#include "cli/bisection.h"

#include <fmt/format.h>

#include "cli/files.h"

namespace sinter::cli {
namespace {

std::string write_pair(const Bisection& found, const BlameFiles& files) {
  if (files.base.empty()) return "; give -o to get the models before and after it";
  std::filesystem::path before = files.base, after = files.base;
  before.replace_extension(".before.onnx");
  after.replace_extension(".after.onnx");
  for (const auto& path : {before, after}) require_output(path, {files.model});
  export_onnx(found.before, before, files.form);
  export_onnx(found.after, after, files.form);
  return fmt::format("; the models before and after it are {} and {}", before.string(),
                     after.string());
}

}  // namespace

std::string blame(const Graph& original, const OptimizeOptions& options, i64 rewrites,
                  const std::function<bool(const Graph&)>& accepts, const BlameFiles& files) {
  std::string text;
  try {
    const std::optional<Bisection> found = bisect(original, options, rewrites, accepts);
    if (!found) return "; running it again gives a model that does not differ";
    if (found->index < 0) return "; it differs before the first rewrite";
    const RewriteRecord& record = found->record;
    text = fmt::format("; the first wrong rewrite is number {} of {}, {} of pass {}{}{}",
                       found->index + 1, rewrites, record.rule, record.pass,
                       record.where.empty() ? "" : " at ", record.where);
    return text + write_pair(*found, files);
  } catch (const Error& e) {
    return text + "; " + e.what();
  }
}

}  // namespace sinter::cli
