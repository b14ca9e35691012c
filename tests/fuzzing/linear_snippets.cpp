// SPDX-License-Identifier: Apache-2.0
// Patterns of the affine family, padding, products.
#include "tests/fuzzing/rule_graphs.h"

namespace sinter::fuzzing {
namespace {

ValueId spatial(Gen& g) { return g.pick(g.one_of<i64>({3, 4, 4, 4, 5}), {1}); }

ValueId affine_chain(Gen& g, ValueId x, i64 longest) {
  for (i64 n = g.between(1, longest); n > 0; --n) x = g.affine(x);
  return x;
}

ValueId conv_transpose(Gen& g, ValueId x) {
  const i64 n = g.rank(x) - 2, c = g.dim(x, 1), group = c % 2 == 0 && g.coin() ? 2 : 1;
  const i64 per_group = g.between(1, 3);
  Dims weight = {c, per_group};
  std::vector<i64> strides, pads, extra;
  for (i64 i = 0; i < n; ++i) {
    weight.push_back(g.between(1, 3));
    strides.push_back(g.between(1, 2));
    extra.push_back(strides.back() > 1 && g.coin() ? 1 : 0);
  }
  for (i64 i = 0; i < 2 * n; ++i) pads.push_back(g.coin(4) ? 1 : 0);
  Attributes attributes = {{"group", group}, {"strides", strides}};
  if (g.coin()) attributes.set("pads", pads);
  if (g.coin()) attributes.set("output_padding", extra);
  std::vector<ValueId> inputs = {x, g.random(weight, 0, 0.5)};
  if (g.coin()) inputs.push_back(g.random({group * per_group}));
  return g.add(Op::ConvTranspose, inputs, attributes);
}

ValueId gemm(Gen& g, ValueId x) {
  const i64 k = g.dim(x, 1), n = g.between(1, 4);
  const bool turned = g.coin();
  std::vector<ValueId> inputs = {x, g.random(turned ? Dims{n, k} : Dims{k, n}, 0, 0.6)};
  if (g.coin()) inputs.push_back(g.random(g.one_of<Dims>({{n}, {1, n}, {}, {1}, {1, 1}})));
  Attributes attributes;
  if (turned) attributes.set("transB", i64(1));
  if (g.coin(4)) attributes.set("alpha", 0.5f);
  if (g.coin(4)) attributes.set("beta", g.one_of<float>({0.0f, 2.0f}));
  return g.add(Op::Gemm, inputs, attributes);
}

ValueId matmul(Gen& g, ValueId x) {
  const i64 k = g.dim(x, -1);
  if (g.coin(10)) return g.add(Op::MatMul, {g.random({g.between(1, 3), g.dim(x, -2)}), x});
  return g.add(Op::MatMul, {x, g.random({k, g.between(1, 4)}, 0, 0.6)});
}

ValueId product(Gen& g, ValueId x) {
  return g.rank(x) == 2 && g.coin() ? gemm(g, x) : matmul(g, x);
}

ValueId padded(Gen& g, ValueId x) {
  std::vector<i64> pads(size_t(2 * g.rank(x)), 0);
  for (size_t i = 0; i < pads.size(); ++i) {
    const bool is_spatial = i64(i) % g.rank(x) >= 2;
    if (is_spatial ? g.coin() : g.coin(16)) pads[i] = g.coin(12) ? -1 : g.between(0, 2);
  }
  std::vector<ValueId> inputs = {x, g.ints(pads)};
  if (g.coin()) inputs.push_back(g.number(g.one_of<double>({0, 0, 0, 1, -INFINITY})));
  Attributes attributes;
  if (g.coin(8)) attributes.set("mode", std::string(g.coin() ? "edge" : "reflect"));
  return g.add(Op::Pad, inputs, attributes);
}

ValueId pool(Gen& g, ValueId x) {
  const i64 n = g.rank(x) - 2;
  if (g.coin(8)) return g.add(g.coin() ? Op::GlobalAveragePool : Op::GlobalMaxPool, {x});
  std::vector<i64> kernel, pads, strides;
  for (i64 i = 0; i < n; ++i) {
    kernel.push_back(g.between(1, 3));
    strides.push_back(g.between(1, 2));
  }
  for (i64 i = 0; i < 2 * n; ++i) pads.push_back(kernel[size_t(i % n)] > 1 && g.coin(3) ? 1 : 0);
  Attributes attributes = {{"kernel_shape", kernel}};
  if (g.coin()) attributes.set("pads", pads);
  if (g.coin()) attributes.set("strides", strides);
  if (g.coin(5)) attributes.set("ceil_mode", i64(1));
  if (g.coin()) return g.add(Op::MaxPool, {x}, attributes);
  if (g.coin()) attributes.set("count_include_pad", i64(1));
  return g.add(Op::AveragePool, {x}, attributes);
}

/// A node that affine arithmetic may move through.
ValueId carrier(Gen& g, ValueId x) {
  switch (g.below(8)) {
    case 0:
      return g.add(Op::Relu, {x});
    case 1:
      return g.add(Op::LeakyRelu, {x}, {{"alpha", 0.2f}});
    case 2:
    case 3:
      return pool(g, x);
    case 4:
      return g.add(Op::PRelu, {x, g.channel(x, true)});
    case 5:
      return g.add(Op::Transpose, {x}, {{"perm", g.permutation(g.rank(x))}});
    case 6:
      return padded(g, x);
    default:
      return g.add(Op::Flatten, {x});
  }
}

const Snippet kSnippets[] = {
    {"conv_affine", [](Gen& g) { g.put(affine_chain(g, g.conv(spatial(g)), 3)); }},
    {"affine_conv",
     [](Gen& g) {
       const ValueId x = affine_chain(g, spatial(g), 2);
       g.put(g.conv(x));
       if (g.coin(3)) g.put(g.conv(x));
     }},
    {"conv_transpose_affine",
     [](Gen& g) { g.put(affine_chain(g, conv_transpose(g, spatial(g)), 2)); }},
    {"affine_conv_transpose",
     [](Gen& g) { g.put(conv_transpose(g, affine_chain(g, spatial(g), 2))); }},
    {"product_affine",
     [](Gen& g) {
       const i64 r = g.between(2, 3);
       g.put(affine_chain(g, product(g, g.pick(r, {0, 1, r - 1})), 2));
     }},
    {"affine_product",
     [](Gen& g) {
       const i64 r = g.between(2, 3);
       g.put(product(g, affine_chain(g, g.pick(r, {1, r - 1}), 2)));
     }},
    {"matmul_bias",
     [](Gen& g) {
       const ValueId y = matmul(g, g.pick(2, {1}));
       const i64 n = g.dim(y, 1);
       ValueId bias = g.random(g.one_of<Dims>({{n}, {1, n}, {}, {1}, {1, 1, n}, {3, 1}, {2, n}}));
       if (g.coin(4)) bias = g.unary(g.input(Shape{n}));
       const ValueId z = g.commuted(Op::Add, y, bias);
       g.put(g.coin(3) ? g.commuted(Op::Add, z, g.random({n})) : z);
     }},
    {"gemm_add",
     [](Gen& g) {
       const ValueId y = gemm(g, g.pick(2, {1}));
       const i64 n = g.dim(y, 1);
       ValueId z = g.commuted(Op::Add, y, g.random(g.one_of<Dims>({{n}, {1, n}, {}, {2, n}})));
       if (g.coin(3)) z = g.commuted(Op::Mul, z, g.scalar(2));
       g.put(z);
     }},
    {"transpose_gemm",
     [](Gen& g) {
       const ValueId x = g.pick(2, {0, 1});
       const ValueId t = g.add(Op::Transpose, {x}, {{"perm", std::vector<i64>{1, 0}}});
       const i64 k = g.dim(x, 0);
       ValueId w = g.coin() ? g.random({k, 3}) : g.add(Op::Transpose, {g.random({3, k})});
       const ValueId y = g.coin() ? g.add(Op::MatMul, {t, w}) : g.add(Op::Gemm, {t, w});
       g.put(g.coin() ? g.add(Op::Transpose, {y}) : y);
     }},
    {"affine_chain", [](Gen& g) { g.put(affine_chain(g, g.pick(g.between(2, 5), {1}), 4)); }},
    {"add_chain",
     [](Gen& g) {
       const ValueId x = g.pick();
       const Op op = g.one_of<Op>({Op::Add, Op::Mul});
       const ValueId a = g.commuted(op, x, g.scalar(1.5));
       g.put(g.commuted(g.coin(4) ? Op::Sub : op, a, g.scalar(0.75)));
     }},
    {"pad_conv", [](Gen& g) { g.put(g.conv(padded(g, spatial(g)))); }},
    {"pad_pool",
     [](Gen& g) {
       ValueId x = spatial(g);
       if (g.coin()) x = g.unary(x);
       g.put(pool(g, padded(g, x)));
     }},
    {"pad_pad", [](Gen& g) { g.put(padded(g, padded(g, spatial(g)))); }},
    {"pad_slice",
     [](Gen& g) {
       const i64 a = g.between(2, 3), before = g.between(0, 2), after = g.between(0, 2);
       const ValueId x = g.pick(4, {a});
       std::vector<i64> pads(8, 0);
       pads[size_t(a)] = before;
       pads[size_t(a + 4)] = after;
       const ValueId p = g.add(Op::Pad, {x, g.ints(pads)});
       const i64 end = before + g.dim(x, a) + (g.coin(5) ? 1 : 0);
       g.put(
           g.add(Op::Slice, {p, g.ints({before}), g.ints({g.coin() ? end : -after}), g.ints({a})}));
     }},
    {"moved_affine",
     [](Gen& g) {
       ValueId x = affine_chain(g, spatial(g), 1);
       for (i64 n = g.between(1, 2); n > 0; --n) x = carrier(g, x);
       g.put(g.rank(x) > 2 ? (g.coin() ? g.conv(x) : x) : product(g, x));
     }},
    {"linear_carrier_affine",
     [](Gen& g) {
       ValueId x = carrier(g, g.conv(spatial(g)));
       g.put(affine_chain(g, x, 2));
     }},
    {"concat_affine_conv",
     [](Gen& g) {
       const ValueId x = spatial(g);
       const ValueId a = g.affine(x), b = g.coin() ? g.affine(x) : g.unary(x);
       ValueId y = g.add(Op::Concat, {a, b}, {{"axis", i64(1)}});
       if (g.coin()) y = g.affine(y);
       g.put(g.coin() ? g.conv(y) : y);
     }},
    {"residual",
     [](Gen& g) {
       const ValueId x = spatial(g);
       ValueId y = g.affine(g.commuted(Op::Add, x, g.affine(x)));
       g.put(g.coin() ? g.conv(y) : y);
     }},
    {"linear_linear",
     [](Gen& g) {
       const ValueId x = g.pick(g.between(2, 4), {1});
       g.put(g.rank(x) == 2 ? product(g, product(g, x)) : g.conv(g.conv(x)));
     }},
    {"identity_weight",
     [](Gen& g) {
       const ValueId x = g.pick(2, {1});
       const i64 k = g.dim(x, 1);
       i64 at = 0;
       const double off = g.coin(6) ? 0.5 : 0;
       const ValueId eye = g.constant(float_tensor(g.type, {k, k}, [&] {
         const i64 i = at++;
         return i % (k + 1) == 0 ? 1.0 : off;
       }));
       g.put(g.coin() ? g.add(Op::MatMul, {x, eye}) : g.add(Op::Gemm, {x, eye, g.random({k})}));
     }},
    {"packed_products",
     [](Gen& g) {
       const ValueId x = g.pick(g.between(2, 3));
       const i64 k = g.dim(x, -1), n = g.between(1, 3);
       for (i64 i = 0; i < 3; ++i) {
         const i64 columns = g.coin(4) ? n + 1 : n;
         ValueId y = g.add(Op::MatMul, {x, g.random({k, columns})});
         if (!g.coin(3)) y = g.commuted(Op::Add, y, g.random({columns}));
         g.put(g.coin() ? g.unary(y) : y);
       }
     }},
    {"shared_weight",
     [](Gen& g) {
       const ValueId x = g.pick(2, {1});
       const ValueId w = g.random({g.dim(x, 1), g.dim(x, 1)}, 0, 0.5);
       const ValueId a = g.add(Op::MatMul, {x, w});
       g.put(g.affine(g.add(Op::MatMul, {g.coin() ? a : x, w})));
       g.put(g.affine(a));
     }},
    {"einsum",
     [](Gen& g) {
       const ValueId x = g.pick(2, {0, 1});
       const i64 m = g.dim(x, 0), k = g.dim(x, 1);
       const auto [text, shape] = g.one_of<std::pair<const char*, Dims>>({{"ij,jk->ik", {k, 2}},
                                                                          {"ij,kj->ik", {2, k}},
                                                                          {"ij,ik->jk", {m, 2}},
                                                                          {"ij,j->i", {k}},
                                                                          {"ij,ij->ij", {m, k}},
                                                                          {"ij,jk->ki", {k, 2}}});
       g.put(g.add(Op::Einsum, {x, g.random(shape)}, {{"equation", std::string(text)}}));
     }},
};

}  // namespace

std::span<const Snippet> linear_snippets() { return kSnippets; }

}  // namespace sinter::fuzzing
