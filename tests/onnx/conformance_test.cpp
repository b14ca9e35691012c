// SPDX-License-Identifier: Apache-2.0
// ONNX's own operator tests (package libonnx-testdata): every model whose operators are in the
// table is imported, evaluated by the reference on the shipped inputs and compared with the shipped
// outputs; then exported, imported again and evaluated to the same bytes.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>
#include <set>

#include "graph/evaluate.h"
#include "graph/verify.h"
#include "onnx/export.h"
#include "onnx/import.h"
#include "onnx/tensor_proto.h"

namespace sinter {
namespace {

namespace fs = std::filesystem;
const fs::path kData = "/usr/share/libonnx-testdata/data";

/// |a - b| <= 1e-5 + 1e-4 |b| for floats (other libraries computed b), equality for the rest.
std::string difference(const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype()) return "type";
  if (a.dims() != b.dims()) return "dims " + to_text(a.dims()) + " against " + to_text(b.dims());
  if (a.dtype() == DType::string) return a.strings() == b.strings() ? "" : "strings";
  const double relative = a.dtype() == DType::f16 || a.dtype() == DType::bf16 ? 1e-2 : 1e-4;
  for (i64 i = 0; i < a.size(); ++i) {
    const double x = a.as_double(i), y = b.as_double(i);
    const bool close = x == y || (std::isnan(x) && std::isnan(y)) ||
                       (is_float(a.dtype()) && std::fabs(x - y) <= 1e-5 + relative * std::fabs(y));
    if (!close)
      return "element " + std::to_string(i) + ": " + std::to_string(x) + " against " +
             std::to_string(y);
  }
  return "";
}

/// The shipped bfloat16 tensors are labelled uint16; `types` says what they are.
std::vector<Tensor> read_all(const fs::path& folder, const std::string& stem,
                             const std::vector<DType>& types) {
  std::vector<Tensor> tensors;
  for (int i = 0;; ++i) {
    const fs::path file = folder / (stem + "_" + std::to_string(i) + ".pb");
    if (!fs::exists(file)) return tensors;
    Tensor t = read_tensor_pb(file);
    const bool relabel =
        size_t(i) < types.size() && types[size_t(i)] == DType::bf16 && t.dtype() == DType::u16;
    tensors.push_back(relabel ? Tensor::view(DType::bf16, t.dims(), t.raw(), nullptr).clone()
                              : std::move(t));
  }
}

/// Models whose shipped input does not have the shape that the model declares.
const std::set<std::string> kContradictory = {"test_castlike_BFLOAT16_to_FLOAT_expanded",
                                              "test_castlike_FLOAT_to_BFLOAT16_expanded"};

/// "" when right, "unsupported: ..." or what is wrong.
std::string check_model(const fs::path& folder) {
  try {
    const Graph graph = import_onnx(folder / "model.onnx");
    verify(graph);
    const auto bytes = export_onnx(graph);
    const Graph again = import_onnx(bytes, nullptr, "exported");
    std::vector<DType> in, out;
    for (ValueId v : graph.inputs()) in.push_back(graph.dtype(v));
    for (const GraphOutput& o : graph.outputs()) out.push_back(graph.dtype(o.value));
    for (const auto& set : fs::directory_iterator(folder)) {
      if (!set.is_directory()) continue;
      const std::vector<Tensor> inputs = read_all(set.path(), "input", in);
      const std::vector<Tensor> expected = read_all(set.path(), "output", out);
      const std::vector<Tensor> found = evaluate(graph, inputs);
      const std::vector<Tensor> found_again = evaluate(again, inputs);
      if (found.size() != expected.size()) return "number of outputs";
      for (size_t i = 0; i < found.size(); ++i) {
        const std::string wrong = difference(found[i], expected[i]);
        if (!wrong.empty()) return "output " + std::to_string(i) + ": " + wrong;
        if (!identical(found[i], found_again[i])) return "changed by export and import";
      }
    }
    return "";
  } catch (const Error& e) {
    return (e.kind() == ErrorKind::unsupported ? "unsupported: " : "error: ") +
           std::string(e.what());
  }
}

struct Folder {
  const char* name;
  int at_least;  // what passed when this line was written: it cannot get worse unnoticed
};

class Conformance : public testing::TestWithParam<Folder> {};
INSTANTIATE_TEST_SUITE_P(, Conformance,
                         testing::Values(Folder{"node", 256}, Folder{"pytorch-converted", 70},
                                         Folder{"pytorch-operator", 28}, Folder{"simple", 5}),
                         [](const auto& param) {
                           std::string name = param.param.name;
                           for (char& c : name)
                             if (c == '-') c = '_';
                           return name;
                         });

TEST_P(Conformance, evaluates_every_supported_model_to_the_shipped_outputs) {
  const fs::path root = kData / GetParam().name;
  if (!fs::exists(root)) GTEST_SKIP() << "libonnx-testdata is not installed";
  int passed = 0, unsupported = 0, failed = 0;
  std::map<std::string, int> reasons;
  for (const auto& entry : fs::directory_iterator(root)) {
    if (!fs::exists(entry.path() / "model.onnx")) continue;
    if (kContradictory.count(entry.path().filename()) > 0) continue;
    const std::string result = check_model(entry.path());
    if (result.empty()) {
      ++passed;
    } else if (result.rfind("unsupported", 0) == 0) {
      ++unsupported;
      if (std::getenv("SINTER_SHOW_UNSUPPORTED"))
        std::printf("%s: %s\n", entry.path().filename().c_str(), result.c_str());
    } else {
      ++failed;
      ADD_FAILURE() << entry.path().filename() << ": " << result;
    }
  }
  std::printf("%-18s passed %d, failed %d, not supported %d\n", GetParam().name, passed, failed,
              unsupported);
  EXPECT_GE(passed, GetParam().at_least);
}

}  // namespace
}  // namespace sinter
