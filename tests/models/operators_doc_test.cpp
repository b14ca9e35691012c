// SPDX-License-Identifier: Apache-2.0
// docs/operators.md is made from the operator table. SINTER_UPDATE_DOCS=1 writes it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <set>

#include "base/file.h"
#include "graph/ops/op.h"
#include "onnx/import.h"
#include "onnx/opsets.h"
#include "runtime/kernels/table.h"

namespace sinter {
namespace {

std::string range(int low, int high) {
  if (high < 0) return std::to_string(low) + "+";
  return low == high ? std::to_string(low) : std::to_string(low) + "-" + std::to_string(high);
}

std::string operators_markdown() {
  std::map<Op, std::set<std::string>> kernels;
  for (const KernelRow& row : kernel_table()) kernels[row.op].insert(std::string(row.name));
  std::map<std::string_view, const OpInfo*> ops;
  for (const OpInfo& op : all_ops())
    if (op.op != Op::Opaque) ops[op.name] = &op;
  std::string out =
      "# Operators\n\n"
      "Made from the operator table (src/graph/ops/table.inc); tests keep it current.\n\n"
      "Operators are listed in their internal form, the newest one each has; nodes of operator "
      "sets "
      "1 to " +
      std::to_string(kNewestOpset) +
      " are brought to it and written with the set they came with. `since` is the first set that "
      "has the operator (7 also for older ones). Every operator has a shape rule and a reference "
      "evaluation. Attribute kinds: i integer, f float, s text, t tensor, g graph, I F S lists. "
      "Whatever is not here passes through untouched.\n\n"
      "| operator | domain | since | inputs | outputs | attributes | fast kernel |\n"
      "| --- | --- | --- | --- | --- | --- | --- |\n";
  i64 own = 0;
  for (const auto& [name, op] : ops) {
    std::string fast;
    for (const std::string& kernel : kernels[op->op]) fast += (fast.empty() ? "" : ", ") + kernel;
    const std::string domain(domain_of(op->op));
    own += domain == "sinter";
    const i64 since = domain.empty() ? onnx::first_opset(name) : op->opset;
    out += "| " + std::string(name) + " | " + (domain.empty() ? "ai.onnx" : domain) + " | " +
           (since > 0 ? std::to_string(since) : "") + " | " +
           range(op->min_inputs, op->max_inputs) + " | " + range(op->min_outputs, op->max_outputs) +
           " | " + std::string(op->attributes) + " | " + fast + " |\n";
  }
  return out + "\n" + std::to_string(std::ssize(ops) - own) + " operators of ONNX, " +
         std::to_string(own) + " of sinter's own.\n";
}

TEST(OperatorsDoc, is_what_the_table_says) {
  const std::string path = "docs/operators.md", wanted = operators_markdown();
  if (std::getenv("SINTER_UPDATE_DOCS"))
    write_file(path, std::as_bytes(std::span(wanted.data(), wanted.size())));
  const auto file = MappedFile::open(path);
  const std::string found(reinterpret_cast<const char*>(file->bytes().data()),
                          file->bytes().size());
  EXPECT_EQ(found, wanted) << "run models_tests with SINTER_UPDATE_DOCS=1";
}

}  // namespace
}  // namespace sinter
