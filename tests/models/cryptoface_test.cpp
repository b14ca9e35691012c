// SPDX-License-Identifier: Apache-2.0
// CryptoFaceNet as models/cryptoface/make.py builds it at test time: what the script claims against
// what import, optimizer and encrypted compiler find. "reduced" has four small patches and few
// channels, "patch" is one patch of the full network.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>

#include "base/file.h"
#include "ckks/encoder.h"
#include "ckks/precision.h"
#include "ckks/secret_key.h"
#include "encrypted/client.h"
#include "encrypted/compile.h"
#include "encrypted/execute.h"
#include "encrypted/fit.h"
#include "encrypted/simulate.h"
#include "graph/evaluate.h"
#include "onnx/import.h"
#include "passes/check_equal.h"
#include "passes/pipeline.h"

namespace sinter::encrypted {
namespace {

namespace fs = std::filesystem;

bool has_onnx() { return std::system("/usr/bin/python3 -c 'import onnx' 2> /dev/null") == 0; }

/// One variant, made in a folder of its own that goes with it.
class Made {
 public:
  explicit Made(const std::string& name, const std::string& tag = "")
      : name_(name),
        folder_(fs::temp_directory_path() /
                ("sinter_cryptoface_" + std::to_string(getpid()) + tag)) {
    const std::string command = "/usr/bin/python3 -B " + std::string(SINTER_SOURCE_DIR) +
                                "/models/cryptoface/make.py " + name + " --output " +
                                folder_.string();
    if (std::system(command.c_str()) != 0) ADD_FAILURE() << "failed: " << command;
  }
  ~Made() { fs::remove_all(folder_); }

  fs::path file(const std::string& ending) const { return folder_ / (name_ + ending); }
  Graph graph(const std::string& suffix) const { return import_onnx(file(suffix + ".onnx")); }

  /// The first `count` items of an npy file of `Real`, dims {1, rest}.
  template <class Real>
  std::vector<std::vector<Real>> items(const std::string& ending, i64 item_size, i64 count) const {
    const auto mapped = MappedFile::open(file(ending).string());
    const auto bytes = mapped->bytes();
    const size_t header = 10 + size_t(u8(bytes[8])) + 256 * size_t(u8(bytes[9]));
    const std::vector<Real> empty(static_cast<size_t>(item_size));
    std::vector<std::vector<Real>> all(static_cast<size_t>(count), empty);
    for (size_t n = 0; n < all.size(); ++n)
      std::memcpy(all[n].data(), bytes.data() + header + n * all[n].size() * sizeof(Real),
                  all[n].size() * sizeof(Real));
    return all;
  }

  std::vector<Tensor> inputs(i64 side, i64 count) const {
    std::vector<Tensor> all;
    for (const auto& item : items<float>("-inputs.npy", 3 * side * side, count)) {
      Tensor t(DType::f32, {1, 3, side, side});
      std::copy(item.begin(), item.end(), t.mutable_data<float>().begin());
      all.push_back(std::move(t));
    }
    return all;
  }

 private:
  std::string name_;
  fs::path folder_;
};

Graph fused(const Graph& model) {
  Graph graph = bind_and_fuse(model, false);
  OptimizeOptions options;
  options.rules.profile = Profile::fhe;
  optimize(graph, options);
  return graph;
}

double largest(std::span<const double> v) {
  double result = 0;
  for (double x : v) result = std::max(result, std::abs(x));
  return result;
}

std::vector<double> doubles(const Tensor& t) {
  std::vector<double> v;
  for (i64 i = 0; i < t.size(); ++i) v.push_back(t.as_double(i));
  return v;
}

std::vector<Tensor> one(const Tensor& t) {
  std::vector<Tensor> list;
  list.push_back(t.clone());
  return list;
}

struct Kind {
  const char* name;
  i64 patches, side, embedding;
  friend void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }
};
constexpr Kind kReduced{"reduced", 4, 32, 32}, kPatch{"patch", 1, 32, 256};

class CryptoFace : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    if (!has_onnx()) GTEST_SKIP() << "python3-onnx is not installed";
  }
};
INSTANTIATE_TEST_SUITE_P(, CryptoFace, testing::Values(kReduced, kPatch),
                         [](const auto& variant) { return std::string(variant.param.name); });

TEST_P(CryptoFace, every_run_of_the_script_writes_the_same_bytes) {
  const Made first(GetParam().name), second(GetParam().name, "_again");
  for (const char* ending : {".onnx", "-norm.onnx", "-inputs.npy", "-expected.npy"}) {
    const auto a = MappedFile::open(first.file(ending).string());
    const auto b = MappedFile::open(second.file(ending).string());
    ASSERT_EQ(a->bytes().size(), b->bytes().size()) << ending;
    EXPECT_EQ(std::memcmp(a->bytes().data(), b->bytes().data(), a->bytes().size()), 0) << ending;
  }
}

TEST_P(CryptoFace, float32_embeddings_are_those_of_the_script) {
  const Kind kind = GetParam();
  const Made made(kind.name);
  for (const std::string suffix : {"", "-norm"}) {
    const Graph graph = made.graph(suffix);
    const auto expected = made.items<double>(suffix + "-expected.npy", kind.embedding, 4);
    const std::vector<Tensor> inputs = made.inputs(kind.side, 4);
    for (size_t n = 0; n < inputs.size(); ++n) {
      const std::vector<double> found = doubles(evaluate(graph, one(inputs[n]))[0]);
      ASSERT_EQ(found.size(), expected[n].size());
      for (size_t i = 0; i < found.size(); ++i)
        ASSERT_NEAR(found[i], expected[n][i], 1e-4 * largest(expected[n])) << suffix << " " << i;
    }
  }
}

TEST_P(CryptoFace, no_batch_normalization_is_left_and_every_herpn_is_one_node) {
  const Kind kind = GetParam();
  const Made made(kind.name);
  Graph graph = made.graph("-norm");
  EXPECT_EQ(count_ops(graph)["BatchNormalization"], kind.patches * (11 * 3 + 3) + 1);
  OptimizeOptions options;
  options.rules.profile = Profile::fhe;
  OpHistogram ops = optimize(graph, options).ops_after;
  EXPECT_EQ(ops["BatchNormalization"] + ops["ChannelAffine"], 0);
  EXPECT_EQ(ops["ChannelQuadratic"], kind.patches * 11 + 1);  // the last one normalises
  EXPECT_EQ(ops["Conv"], kind.patches * 13);
  EXPECT_EQ(ops["Gemm"], 1);
  EXPECT_EQ(ops["Mul"], 1);
  EXPECT_EQ(ops["Add"], kind.patches * 5);
  const EqualityReport report = compare_graphs(made.graph("-norm"), graph, 12, 1);
  EXPECT_TRUE(report.accepted) << report.text();
}

/// The value of the unfused graph that a node of the fused one computes: make.py calls a node and
/// its result alike, and a fused node keeps the name of one that went into it.
std::string unfused_name(const Node& node) {
  if (node.name == "linear") return "bn";
  const size_t at = node.name.find(".shortcut.0");
  if (at != std::string::npos) return node.name.substr(0, at) + ".shortcut.1";
  return node.name;
}

// Activations, convolutions, shortcuts, blocks, pools and the head; not what lies between a
// BatchNormalization and the matrix that took it.
TEST_P(CryptoFace, every_layer_of_the_fused_graph_has_the_values_of_the_unfused_one) {
  const Kind kind = GetParam();
  const Made made(kind.name);
  Graph before = bind_and_fuse(made.graph("-norm"), false), after = fused(before);
  std::map<std::string, ValueId> named;
  for (ValueId v : before.values()) named[before.value(v).name] = v;
  std::map<Op, i64> compared;
  for (NodeId id : after.nodes()) {
    const Node& node = after.node(id);
    const auto it = named.find(unfused_name(node));
    if (it == named.end() || node.op == Op::Concat) continue;
    const ValueId result = node.outputs[0];
    before.add_output("layer " + it->first, it->second);
    after.add_output("layer " + it->first, result);
    ++compared[after.node(id).op];
  }
  EXPECT_EQ(compared[Op::ChannelQuadratic], kind.patches * 11 + 1);
  EXPECT_EQ(compared[Op::Conv], kind.patches * 13);
  EXPECT_EQ(compared[Op::Add], kind.patches * 5);
  EXPECT_EQ(compared[Op::AveragePool], kind.patches);
  EXPECT_EQ(compared[Op::Gemm], 1);
  for (const Tensor& input : made.inputs(kind.side, 3)) {
    const std::vector<Tensor> truth = evaluate(before, one(input), Precision::widened);
    const std::vector<Tensor> unfused = evaluate(before, one(input));
    const std::vector<Tensor> found = evaluate(after, one(input));
    for (size_t o = 0; o < truth.size(); ++o) {
      const std::vector<double> y = doubles(truth[o]), y0 = doubles(unfused[o]),
                                y1 = doubles(found[o]);
      ASSERT_EQ(y.size(), y1.size());
      double e0 = 0, e1 = 0;
      for (size_t i = 0; i < y.size(); ++i) {
        e0 = std::max(e0, std::abs(y0[i] - y[i]));
        e1 = std::max(e1, std::abs(y1[i] - y[i]));
      }
      EXPECT_LE(e1, 4 * e0 + 16 * 0x1p-24 * largest(y)) << before.outputs()[o].name;
    }
  }
}

CompileOptions toy(i64 log_n) {
  CompileOptions options;
  options.scheme.log_n = log_n;
  options.scheme.log_scale = 42;
  options.scheme.log_p = std::vector<int>(7, 48);
  options.scheme.security = ckks::Security::none_for_tests;
  return options;
}

// 23 = stem 1, five blocks of 4, the pool's activation 1, pool + BatchNormalization + Linear 1.
// The normalisation is of degree 5 in the embedding: 3.
TEST_P(CryptoFace, takes_23_levels_and_26_with_the_normalisation) {
  const Kind kind = GetParam();
  const Made made(kind.name);
  const CompileOptions options = toy(kind.patches == 4 ? 13 : 15);
  const std::vector<Tensor> inputs = made.inputs(kind.side, 4);
  for (const auto& [suffix, depth] : {std::pair{"", 23}, std::pair{"-norm", 26}}) {
    const Explanation e = compile(made.graph(suffix), inputs, options).explanation;
    EXPECT_EQ(e.depth, depth);
    EXPECT_GE(e.depth_unfused, depth + 40);
    EXPECT_EQ(e.patches_merged, kind.patches == 4 ? 4 : 0);
    for (const LayerRow& row : e.layers) EXPECT_LE(row.depth, 1) << row.name;
    std::printf("  %s%s: %d levels, unfused %d, %d diagonals, %d rotations hoisted and %d full\n",
                kind.name, suffix, e.depth, e.depth_unfused, int(e.diagonals),
                int(e.hoisted_rotations), int(e.rotations));
  }
}

// What a count independent of this compiler gives for one patch in 16,384 slots: 144, 144, 144,
// 128, 392 and 32 of the shortcut, 392, 392, 324, 900 and 100, 900, 900. Here the stem spreads its
// three channels (36), and an identity shortcut is one diagonal of its block's second convolution.
TEST(CryptoFacePlan, diagonals_of_one_patch_are_those_counted_elsewhere) {
  if (!has_onnx()) GTEST_SKIP() << "python3-onnx is not installed";
  const Made made(kPatch.name);
  const Explanation e = compile(made.graph(""), made.inputs(kPatch.side, 1), toy(15)).explanation;
  std::vector<i64> diagonals;
  for (const LayerRow& row : e.layers)
    if (row.op == "Conv") diagonals.push_back(row.diagonals);
  EXPECT_EQ(diagonals, (std::vector<i64>{36, 144, 144 + 1, 128, 392 + 32, 392, 392 + 1, 324,
                                         900 + 100, 900, 900 + 1}));
}

TEST(CryptoFaceEncrypted, a_normalised_embedding_agrees_with_float32) {
  if (!has_onnx()) GTEST_SKIP() << "python3-onnx is not installed";
  const Made made(kReduced.name);
  const std::vector<Tensor> inputs = made.inputs(kReduced.side, 8);
  const Graph model = made.graph("-norm");
  const auto program = compile(model, inputs, toy(13)).program;
  const auto context = ckks::Context::create(program->params);
  ThreadPool pool(1);
  ring::SecretRng rng;
  const ckks::SecretKey secret = ckks::generate_secret_key(*context, rng);
  const ckks::EvaluationKeys keys =
      ckks::generate_evaluation_keys(*context, secret, program->keys, rng, pool);
  const ckks::Ciphertext in = ckks::encrypt_symmetric(
      *context, secret, encode_input(*program, *context, inputs[0])[0], rng);
  const ckks::Ciphertext out = execute(*program, *context, keys, std::span(&in, 1), pool);
  const std::vector<double> found = doubles(
      unpack_output(*program, ckks::decode(*context, ckks::decrypt(*context, secret, out))));
  const std::vector<double> expected = doubles(evaluate(model, one(inputs[0]))[0]);
  double error = 0, dot = 0, a = 0, b = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    error = std::max(error, std::abs(found[i] - expected[i]));
    dot += found[i] * expected[i];
    a += found[i] * found[i];
    b += expected[i] * expected[i];
  }
  std::printf("  largest error %.2e, 1 - cosine %.2e\n", error, 1 - dot / std::sqrt(a * b));
  EXPECT_LE(error, 1e-3);
  EXPECT_GE(dot / std::sqrt(a * b), 0.9999);
}

}  // namespace
}  // namespace sinter::encrypted
