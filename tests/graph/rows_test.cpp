// SPDX-License-Identifier: Apache-2.0
// The proof that rows do not mix, against running: a model that passes gives the same bits whole
// and in pieces; the models that combine items are all refused.
#include "graph/rows.h"

#include "base/random.h"
#include "graph/evaluate.h"
#include "graph/text.h"
#include "tests/graph/ops_support.h"

namespace sinter {
namespace {

Tensor piece(const Tensor& t, i64 from, i64 count) {
  Dims dims = t.dims();
  const size_t row = dims[0] == 0 ? 0 : t.raw().size() / size_t(dims[0]);
  dims[0] = count;
  Tensor part(t.dtype(), dims);
  const auto source = t.raw().subspan(size_t(from) * row, size_t(count) * row);
  std::copy(source.begin(), source.end(), part.mutable_raw().begin());
  return part;
}

std::vector<Tensor> inputs_of(const Graph& g, i64 items, u64 seed) {
  Rng rng(seed);
  std::vector<Tensor> inputs;
  for (ValueId v : g.inputs()) {
    Dims dims;
    for (const Dim& d : *g.shape(v)) dims.push_back(d.value().value_or(items));
    Tensor t(DType::f64, dims);
    for (double& x : t.mutable_data<double>())
      x = is_float(g.dtype(v)) ? rng.normal() : double(rng.below(2));
    inputs.push_back(convert(t, g.dtype(v)));
  }
  return inputs;
}

void expect_pieces_agree(const std::string& text) {
  SCOPED_TRACE(text);
  const Graph g = parse_graph(text);
  ASSERT_EQ(why_rows_mix(g), "");
  const i64 items = 7;
  const std::vector<Tensor> inputs = inputs_of(g, items, 3);
  const std::vector<Tensor> whole = evaluate(g, inputs);
  for (i64 at = 0; at < items; at += 3) {
    const i64 count = std::min<i64>(3, items - at);
    std::vector<Tensor> part;
    for (const Tensor& t : inputs) part.push_back(piece(t, at, count));
    const std::vector<Tensor> found = evaluate(g, part);
    for (size_t o = 0; o < whole.size(); ++o)
      EXPECT_TRUE(identical(found[o], piece(whole[o], at, count))) << "output " << o;
  }
}

const std::string kMatrix = "x = input f32[N,6]\n", kImage = "x = input f32[N,2,4,4]\n";

TEST(Rows, models_that_pass_give_the_same_bits_in_pieces) {
  for (const char* body :
       {"y = Add(x, random f32[6])",
        "y = Mul(x, random f32[1,6])",
        "y = Sub(x, x)",
        "y = Softmax(x) axis=1",
        "y = Gemm(x, random f32[4,6], random f32[4]) transB=1",
        "y = MatMul(x, random f32[6,5])",
        "y = Gather(x, const i64[3] {5, 0, 0}) axis=1",
        "y = Unsqueeze(x, const i64[1] {-1})",
        "y = Reshape(x, const i64[3] {0, 2, -1})",
        "y = Reshape(x, const i64[3] {-1, 2, 3})",
        "y = ReduceMean(x, const i64[1] {-1})",
        "y = ReduceSum(x, const i64[1] {1}) keepdims=0",
        "y = Slice(x, const i64[1] {1}, const i64[1] {4}, const i64[1] {1})",
        "y, z = Split(x, const i64[2] {2, 4}) axis=1\noutput z",
        "y = Pad(x, const i64[4] {0, 1, 0, 2})",
        "y = Concat(x, x) axis=1",
        "y = Where(const bool[6] {1, 0, 1, 0, 1, 0}, x, fill f32[1,6] 3)",
        "s = Shape(x)\nf = ConstantOfShape(s) value=f32[1] {2}\ny = Mul(f, x)",
        "s = Shape(x)\nn = Gather(s, const i64[1] {0})\nt = Concat(n, const i64[2] {3, 2}) axis=0\n"
        "y = Reshape(x, t)",
        "t = Transpose(x) perm=[0,1]\ny = ChannelAffine(t, random f32[6], random f32[6])"})
    expect_pieces_agree(kMatrix + body + "\noutput y\n");
  for (const char* body :
       {"y = Conv(x, random f32[3,2,3,3], random f32[3]) pads=[1,1,1,1]",
        "y = ConvTranspose(x, random f32[2,3,2,2]) strides=[2,2]",
        "y = MaxPool(x) kernel_shape=[2,2]", "y = GlobalAveragePool(x)",
        "y = AveragePool(x) kernel_shape=[2,2] strides=[2,2]", "y = Flatten(x) axis=1",
        "y = BatchNormalization(x, random f32[2], random f32[2], random f32[2], positive f32[2])",
        "y = Transpose(x) perm=[0,2,3,1]", "y = MatMul(x, x)", "y = Softmax(x)",
        "y = Mul(x, random f32[2,1,1])",
        "y = ChannelQuadratic(x, random f32[2,1,1], "
        "random f32[2,1,1], random f32[2,1,1])"})
    expect_pieces_agree(kImage + body + "\noutput y\n");
  expect_pieces_agree("x = input i64[N,3]\ny = Gather(random f32[2,4], x)\noutput y\n");
  expect_pieces_agree("x = input f32[N,3]\nz = input f32[N,1]\ny = Add(x, z)\noutput y\n");
}

TEST(Rows, models_that_combine_items_are_refused_with_the_node) {
  for (const char* body :
       {"m = ReduceMean(x, const i64[1] {0})\ny = Sub(x, m)", "y = Softmax(x) axis=0",
        "t = Transpose(x) perm=[1,0]\ns = Softmax(t) axis=1\ny = Transpose(s) perm=[1,0]",
        "t = Transpose(x) perm=[1,0]\ng = MatMul(x, t)\ny = MatMul(g, x)",
        "g = Gemm(x, x) transB=1\ny = MatMul(g, x)",
        "f = Reshape(x, const i64[1] {-1})\ns = Softmax(f)\ny = Reshape(s, const i64[2] {-1, 6})",
        "m = ReduceSum(x)\ny = Add(x, m)",
        "s = Shape(x)\nn = Gather(s, const i64[] {0})\nf = Cast(n) to=1\ny = Div(x, f)",
        "u = Unsqueeze(x, const i64[1] {1})\nd = Sub(x, u)\ny = ReduceSum(d, const i64[1] {1}) "
        "keepdims=0",
        "y = Slice(x, const i64[1] {-1}, const i64[1] {-9}, const i64[1] {0}, const i64[1] {-1})",
        "y = Concat(x, x) axis=0"}) {
    SCOPED_TRACE(body);
    EXPECT_NE(why_rows_mix(parse_graph(kMatrix + body + "\noutput y\n")), "");
  }
  EXPECT_NE(
      why_rows_mix(
          parse_graph("x = input f32[N,4]\ny = Transpose(x) perm=[1,0]\nz = Softmax(y) axis=0\n"
                      "w = Transpose(z) perm=[1,0]\noutput w\n"))
          .find("Transpose \"y\""),
      std::string::npos);
  // The place of a maximum counts through the whole batch; a row as long as the batch is no row.
  for (const char* text : {"x = input f32[N,2,4,4]\ny, i = MaxPool(x) kernel_shape=[2,2]\noutput i",
                           "x = input f32[N,4]\ns = Shape(x)\nn = Gather(s, const i64[1] {0})\n"
                           "t = Concat(n, n) axis=0\ny = Expand(fill f32[1,1] 2, t)\noutput y",
                           "x = input f32[3,4]\ny = Relu(x)\noutput y",
                           "x = input f32[N,4]\nz = input f32[M,4]\ny = Relu(x)\noutput y",
                           "x = input f32[N,4]\ny = const f32[3] {1, 2, 3}\noutput y"}) {
    SCOPED_TRACE(text);
    try {
      EXPECT_NE(why_rows_mix(parse_graph(std::string(text) + "\n")), "");
    } catch (const Error& e) {
      ADD_FAILURE() << e.what();
    }
  }
}

}  // namespace
}  // namespace sinter
