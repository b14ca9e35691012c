// SPDX-License-Identifier: Apache-2.0
// ONNX's own operator tests (package libonnx-testdata): every model is imported, evaluated by the
// reference on the shipped inputs and compared with the shipped outputs; then exported with the
// operator set it came with, imported again and evaluated to the same bytes. A second test does
// the same after `optimize`.
//
// Random models (Bernoulli, RandomNormal...) are compared in type and shape only, and counted as
// passed; they are listed. SINTER_SHOW_UNSUPPORTED=1 prints every model that did not pass.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>
#include <set>

#include "base/file.h"
#include "graph/evaluate.h"
#include "graph/verify.h"
#include "onnx/export.h"
#include "onnx/import.h"
#include "onnx/tensor_proto.h"
#include "passes/pipeline.h"

namespace sinter {
namespace {

namespace fs = std::filesystem;
const fs::path kData = "/usr/share/libonnx-testdata/data";

/// Its outputs were made with epsilon = 0.01, its model has none, which means 1e-6.
const std::set<std::string> kContradictory = {"test_adam_multiple"};

/// The window operators' models have 3.1415 for pi, the outputs of two others were written down
/// with four digits. 1e-3 is what ONNX's own test runner allows everywhere.
double relative_error(const fs::path& folder) {
  const std::string name = folder.filename().string();
  for (const char* rounded : {"window", "test_roialign", "test_gridsample"})
    if (name.find(rounded) != name.npos) return 1e-3;
  return 1e-4;
}

/// |a - b| <= 1e-5 + relative |b| for floats (other libraries computed b), equality for the rest.
std::string difference(const Tensor& a, const Tensor& b, bool is_random, double relative) {
  // What an optional holds may stand for it, as the shipped files have it.
  if (a.dtype() == DType::optional && b.dtype() != DType::optional && a.size() == 1)
    return difference(a.items()[0], b, is_random, relative);
  if (b.dtype() == DType::optional && a.dtype() != DType::optional && b.size() == 1)
    return difference(a, b.items()[0], is_random, relative);
  if (a.dtype() != b.dtype())
    return "type " + std::string(name(a.dtype())) + " against " + std::string(name(b.dtype()));
  if (a.dims() != b.dims()) return "dims " + to_text(a.dims()) + " against " + to_text(b.dims());
  if (is_random) return "";
  if (a.dtype() == DType::string) return a.strings() == b.strings() ? "" : "strings";
  if (is_container(a.dtype())) {
    for (size_t i = 0; i < a.items().size(); ++i) {
      const std::string wrong = difference(a.items()[i], b.items()[i], false, relative);
      if (!wrong.empty()) return "item " + std::to_string(i) + ": " + wrong;
    }
    return "";
  }
  if (a.dtype() == DType::f16 || a.dtype() == DType::bf16) relative = 1e-2;
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
                             const std::vector<ValueType>& types) {
  std::vector<Tensor> tensors;
  for (size_t i = 0;; ++i) {
    const fs::path file = folder / (stem + "_" + std::to_string(i) + ".pb");
    if (!fs::exists(file)) return tensors;
    Tensor t = read_value_pb(file, i < types.size() ? types[i] : ValueType{});
    const bool relabel =
        i < types.size() && types[i].dtype == DType::bf16 && t.dtype() == DType::u16;
    tensors.push_back(relabel ? Tensor::view(DType::bf16, t.dims(), t.raw(), nullptr).clone()
                              : std::move(t));
  }
}

/// Two models declare a shape that their shipped input has not: what is given counts there.
void declare_what_is_given(Graph& graph, const std::vector<Tensor>& inputs) {
  bool changed = false;
  for (size_t i = 0; i < std::min(inputs.size(), graph.inputs().size()); ++i) {
    const ValueId v = graph.inputs()[i];
    const auto declared = graph.shape(v) ? static_dims(*graph.shape(v)) : std::nullopt;
    if (!declared || is_container(graph.dtype(v)) || *declared == inputs[i].dims()) continue;
    graph.set_input_type(v, graph.dtype(v), to_shape(inputs[i].dims()));
    changed = true;
  }
  if (changed) graph.infer_all();
}

bool is_random(const Graph& graph) {
  for (NodeId n : graph.nodes())
    if (graph.node(n).op != Op::Opaque && !is_pure(graph, graph.node(n))) return true;
  return false;
}

/// Inputs by position; trailing ones that are not shipped have defaults.
std::vector<Tensor> complete(const Graph& graph, const std::vector<Tensor>& given) {
  std::vector<Tensor> inputs;
  for (const Tensor& t : given) inputs.push_back(t.clone());
  for (size_t i = inputs.size(); i < graph.inputs().size(); ++i)
    if (const TensorPtr& t = graph.value(graph.inputs()[i]).default_value)
      inputs.push_back(t->clone());
  return inputs;
}

struct Counts {
  int passed = 0, unsupported = 0, failed = 0, random = 0;
  i64 before = 0, after = 0;  // nodes, bodies included, of models that passed
  std::map<std::string, int> reasons;
};

/// SINTER_DUMP=<folder> keeps what is exported there, for other people's checkers.
Graph again_from(const Graph& graph, const fs::path& folder, const std::string& suffix) {
  const auto bytes = export_onnx(graph);
  if (const char* dump = std::getenv("SINTER_DUMP"))
    write_file(fs::path(dump) / (folder.filename().string() + suffix), bytes);
  Graph again = import_onnx(bytes, nullptr, "exported");
  verify(again);
  return again;
}

/// "" when right, "unsupported: ..." or what is wrong.
std::string compare(Graph graph, Graph other, const fs::path& folder, Counts& counts,
                    bool same_bytes) {
  std::vector<ValueType> in, out;
  for (ValueId v : graph.inputs()) in.push_back(graph.value(v).type);
  for (const GraphOutput& o : graph.outputs()) out.push_back(graph.value(o.value).type);
  const bool random = is_random(graph);
  const double relative = relative_error(folder);
  for (const auto& set : fs::directory_iterator(folder)) {
    if (!set.is_directory()) continue;
    const std::vector<Tensor> inputs = complete(graph, read_all(set.path(), "input", in));
    const std::vector<Tensor> expected = read_all(set.path(), "output", out);
    declare_what_is_given(graph, inputs);
    declare_what_is_given(other, inputs);
    const std::vector<Tensor> found = evaluate(graph, inputs);
    const std::vector<Tensor> again = evaluate(other, inputs);
    if (found.size() != expected.size()) return "number of outputs";
    for (size_t i = 0; i < found.size(); ++i) {
      std::string wrong = difference(found[i], expected[i], random, relative);
      if (!wrong.empty()) return "output " + std::to_string(i) + ": " + wrong;
      wrong = difference(again[i], expected[i], random, relative);
      if (!wrong.empty()) return "changed: output " + std::to_string(i) + ": " + wrong;
      if (same_bytes && !random && !identical(found[i], again[i]))
        return "changed by export and import";
    }
  }
  counts.random += random;
  return "";
}

std::string round_trip(const fs::path& folder, Counts& counts) {
  Graph graph = import_onnx(folder / "model.onnx");
  verify(graph);
  const i64 opset = export_opset(graph);
  Graph again = again_from(graph, folder, ".onnx");
  // Scan of opset 8 comes back as two of opset 9.
  const bool is_old_scan = graph.info.opset == 8 && folder.filename() == "test_scan_sum";
  if (opset > std::max<i64>(7, graph.info.opset) && !is_old_scan)
    return "exported with opset " + std::to_string(opset) + ", imported with " +
           std::to_string(graph.info.opset);
  counts.before += deep_node_count(graph), counts.after += deep_node_count(again);
  return compare(std::move(graph), std::move(again), folder, counts, true);
}

std::string optimized(const fs::path& folder, Counts& counts) {
  Graph graph = import_onnx(folder / "model.onnx");
  Graph fused = graph.clone();
  optimize(fused);
  verify(fused);
  Graph again = again_from(fused, folder, ".optimized.onnx");
  counts.before += deep_node_count(graph), counts.after += deep_node_count(fused);
  return compare(std::move(graph), std::move(again), folder, counts, false);
}

/// The operator or the reason, for grouping.
std::string reason_of(const std::string& text) {
  const size_t at = text.find("operator ");
  if (at != text.npos) return text.substr(at, text.find(' ', at + 9) - at);
  return text.size() > 90 ? text.substr(text.size() - 90) : text;
}

struct Folder {
  const char* name;
  int at_least;  // what passed when this line was written: it cannot get worse unnoticed
};

class Conformance : public testing::TestWithParam<Folder> {
 protected:
  void check_all(const char* title, std::string (*check)(const fs::path&, Counts&)) {
    const fs::path root = kData / GetParam().name;
    if (!fs::exists(root)) GTEST_SKIP() << "libonnx-testdata is not installed";
    std::set<fs::path> models;
    for (const auto& entry : fs::directory_iterator(root))
      if (fs::exists(entry.path() / "model.onnx")) models.insert(entry.path());
    Counts counts;
    for (const fs::path& model : models)
      if (kContradictory.count(model.filename()) == 0)
        count(model, check, counts);
      else
        std::printf("%s left out: its outputs contradict it\n", model.filename().c_str());
    std::printf(
        "%-18s %s: passed %d (%d random: types and shapes), failed %d, not supported %d; "
        "nodes %lld -> %lld\n",
        GetParam().name, title, counts.passed, counts.random, counts.failed, counts.unsupported,
        (long long)counts.before, (long long)counts.after);
    for (const auto& [reason, times] : counts.reasons)
      std::printf("    not supported %d: %s\n", times, reason.c_str());
    EXPECT_GE(counts.passed, GetParam().at_least);
  }

 private:
  static void count(const fs::path& model, std::string (*check)(const fs::path&, Counts&),
                    Counts& counts) {
    std::string result;
    bool unsupported = false;
    try {
      result = check(model, counts);
    } catch (const Error& e) {
      unsupported = e.kind() == ErrorKind::unsupported;
      result = e.what();
    }
    if (result.empty()) {
      ++counts.passed;
      return;
    }
    if (std::getenv("SINTER_SHOW_UNSUPPORTED"))
      std::printf("%s: %s\n", model.filename().c_str(), result.c_str());
    if (unsupported) {
      ++counts.unsupported;
      ++counts.reasons[reason_of(result)];
    } else {
      ++counts.failed;
      ADD_FAILURE() << model.filename() << ": " << result;
    }
  }
};

INSTANTIATE_TEST_SUITE_P(, Conformance,
                         testing::Values(Folder{"node", 931}, Folder{"pytorch-converted", 82},
                                         Folder{"pytorch-operator", 35}, Folder{"simple", 23}),
                         [](const auto& param) {
                           std::string name = param.param.name;
                           for (char& c : name)
                             if (c == '-') c = '_';
                           return name;
                         });

TEST_P(Conformance, models_give_the_shipped_outputs_before_and_after_a_round_trip) {
  check_all("as shipped", round_trip);
}

TEST_P(Conformance, optimized_models_give_the_shipped_outputs) {
  check_all("optimized", optimized);
}

}  // namespace
}  // namespace sinter
