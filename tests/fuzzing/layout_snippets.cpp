// SPDX-License-Identifier: Apache-2.0
// Patterns of layout algebra, no-ops and shape arithmetic.
#include "tests/fuzzing/rule_graphs.h"

namespace sinter::fuzzing {
namespace {

ValueId transpose(Gen& g, ValueId x) {
  return g.add(Op::Transpose, {x}, {{"perm", g.permutation(g.rank(x))}});
}
ValueId inverse(Gen& g, ValueId x, const std::vector<i64>& perm) {
  std::vector<i64> back(perm.size());
  for (size_t i = 0; i < perm.size(); ++i) back[size_t(perm[i])] = i64(i);
  if (g.coin(6) && back.size() > 1) std::swap(back[0], back[1]);
  return g.add(Op::Transpose, {x}, {{"perm", back}});
}

/// A target for x: its numbers regrouped, 0 where a dimension stays, one -1.
ValueId reshape(Gen& g, ValueId x) {
  const Shape shape = *g.graph.shape(x);
  std::vector<i64> target;
  bool inferred = false;
  for (size_t a = 0; a < shape.size(); ++a) {
    const auto number = shape[a].value();
    if (!number) {
      if (target.size() == a && g.coin()) {
        target.push_back(0);
      } else {
        require(!inferred, ErrorKind::bad_input, "two inferred");
        target.push_back(-1);
        inferred = true;
      }
    } else if (g.coin(3) && !target.empty() && target.back() > 0) {
      target.back() *= *number;
    } else if (*number % 2 == 0 && g.coin(3)) {
      target.push_back(2);
      target.push_back(*number / 2);
    } else if (target.size() == a && g.coin(3)) {
      target.push_back(0);
    } else {
      target.push_back(*number);
      if (g.coin(6)) target.push_back(1);
    }
  }
  if (!inferred && !target.empty() && g.coin()) target[size_t(g.below(std::ssize(target)))] = -1;
  return g.add(Op::Reshape, {x, g.ints(target)});
}

ValueId axis_change(Gen& g, ValueId x) {
  const i64 r = g.rank(x);
  switch (g.below(5)) {
    case 0:
      return g.add(Op::Unsqueeze, {x, g.ints({g.between(-r - 1, r)})});
    case 1: {
      const i64 a = g.below(r + 2), b = g.below(r + 2);
      return g.add(Op::Unsqueeze, {x, a == b ? g.ints({a}) : g.ints({a, b})});
    }
    case 2: {
      for (i64 a = 0; a < r; ++a)
        if ((*g.graph.shape(x))[size_t(a)].is(1))
          return g.add(Op::Squeeze, {x, g.ints({g.coin() ? a : a - r})});
      return g.add(Op::Flatten, {x}, {{"axis", g.below(r + 1)}});
    }
    case 3:
      return g.add(Op::Flatten, {x}, {{"axis", g.between(-r, r)}});
    default:
      return reshape(g, x);
  }
}

ValueId slice(Gen& g, ValueId x) {
  require(g.rank(x) > 0, ErrorKind::bad_input, "a scalar");
  const i64 a = g.below(g.rank(x));
  const auto n = (*g.graph.shape(x))[size_t(a)].value();
  i64 start = g.between(0, 1), end = n ? *n : INT64_MAX, step = 1;
  if (n && *n > 2 && g.coin()) end -= 1;
  if (g.coin(4)) step = 2;
  if (g.coin(8)) start = -1, end = INT64_MIN + 1, step = -1;
  if (g.coin(6)) start = -2;
  if (n && end == *n && g.coin()) end = g.one_of<i64>({INT64_MAX, INT32_MAX, *n + 3});
  return g.add(Op::Slice, {x, g.ints({start}), g.ints({end}),
                           g.ints({g.coin() ? a : a - g.rank(x)}), g.ints({step})});
}

/// What a dimension of x is multiplied with, from Shape and arithmetic.
ValueId size_of(Gen& g, ValueId x, i64 axis) {
  const ValueId s = g.add(Op::Shape, {x});
  switch (g.below(3)) {
    case 0:
      return g.add(Op::Gather, {s, g.ints({axis})});
    case 1:
      return g.add(Op::Unsqueeze, {g.add(Op::Gather, {s, g.ints({}, {axis})}), g.ints({0})});
    default:
      return g.add(Op::Slice, {s, g.ints({axis}), g.ints({axis + 1}), g.ints({0})});
  }
}

ValueId no_op(Gen& g, ValueId x) {
  const i64 r = g.rank(x);
  switch (g.below(15)) {
    case 0:
      return g.add(Op::Identity, {x});
    case 1:
      return g.add(Op::Dropout, {x});
    case 2:
      return g.commuted(
          Op::Mul, x,
          g.fill(g.one_of<Dims>({{}, {1}, Dims(size_t(r), 1), Dims(size_t(r + 1), 1)}), 1));
    case 3:
      return g.commuted(Op::Add, x, g.scalar(g.one_of<double>({0.0, -0.0})));
    case 4:
      return g.add(Op::Sub, {x, g.scalar(0)});
    case 5:
      return g.add(Op::Div, {x, g.scalar(1)});
    case 6:
      return g.add(Op::Pow, {x, g.scalar(1)});
    case 7:
      return g.add(Op::Transpose, {x}, {{"perm", g.permutation(r)}});
    case 8:
      return g.add(Op::Reshape,
                   {x, g.coin() ? g.ints(std::vector<i64>(size_t(r), 0)) : g.add(Op::Shape, {x})});
    case 9:
      return g.add(Op::Expand, {x, g.ints(std::vector<i64>(size_t(g.coin(5) ? r + 1 : r), 1))});
    case 10:
      return g.add(Op::Tile, {x, g.ints(std::vector<i64>(size_t(r), 1))});
    case 11:
      return g.add(Op::Pad, {x, g.ints(std::vector<i64>(size_t(2 * r), 0))});
    case 12:
      return g.add(Op::Concat, {x}, {{"axis", g.below(r)}});
    case 13: {
      std::vector<i64> all;
      const i64 a = g.below(r), n = g.dim(x, a);
      for (i64 i = 0; i < n; ++i) all.push_back(i);
      if (!all.empty() && g.coin(6)) all.back() = 0;
      return g.add(Op::Gather, {x, g.ints(all)}, {{"axis", a}});
    }
    default:
      return g.add(g.one_of<Op>({Op::Max, Op::Min}),
                   {x, g.scalar(g.one_of<double>({-INFINITY, INFINITY}))});
  }
}

const Snippet kSnippets[] = {
    {"no_op", [](Gen& g) { g.put(g.unary(no_op(g, g.pick()))); }},
    {"no_op_end", [](Gen& g) { g.put(no_op(g, g.pick())); }},
    {"transpose_chain",
     [](Gen& g) {
       ValueId x = g.pick(g.between(2, 5));
       for (i64 n = g.between(2, 3); n > 0; --n) {
         x = transpose(g, x);
         if (g.coin(3)) x = g.unary(x);
       }
       g.put(x);
     }},
    {"transpose_sandwich",
     [](Gen& g) {
       ValueId x = g.pick(g.between(2, 4));
       const std::vector<i64> perm = g.permutation(g.rank(x));
       ValueId y = g.add(Op::Transpose, {x}, {{"perm", perm}});
       const i64 r = g.rank(x), a = g.below(r);
       switch (g.below(9)) {
         case 0:
           y = g.commuted(Op::Add, y, g.channel(y, false));
           break;
         case 1:
           y = g.commuted(
               Op::Mul, y,
               g.add(Op::Transpose, {g.unary(x)}, {{"perm", g.coin(5) ? g.permutation(r) : perm}}));
           break;
         case 2:
           y = g.add(Op::Softmax, {y}, {{"axis", a}});
           break;
         case 3:
           y = g.add(Op::ReduceSum, {y, g.ints({a})}, {{"keepdims", i64(g.coin())}});
           break;
         case 4:
           y = g.add(Op::Concat, {y, g.unary(y)}, {{"axis", a}});
           break;
         case 5:
           y = slice(g, y);
           break;
         case 6:
           y = g.affine(y);
           break;
         case 7:
           y = g.add(Op::Clip, {y, g.number(-1), g.number(1)});
           break;
         default:
           y = g.unary(y);
       }
       g.put(g.rank(y) == r ? inverse(g, y, perm) : y);
     }},
    {"layout_chain",
     [](Gen& g) {
       ValueId x = g.pick();
       for (i64 n = g.between(2, 4); n > 0; --n) {
         x = g.coin(4) ? transpose(g, x) : axis_change(g, x);
         if (g.coin(5)) x = g.unary(x);
       }
       g.put(x);
     }},
    {"reshape_back",
     [](Gen& g) {
       const ValueId x = g.pick();
       ValueId y = reshape(g, x);
       if (g.coin()) y = g.coin() ? g.unary(y) : g.commuted(Op::Mul, y, g.scalar(2));
       g.put(g.add(Op::Reshape, {y, g.add(Op::Shape, {x})}));
     }},
    {"reshape_transpose_reshape",
     [](Gen& g) {
       const ValueId x = g.pick(4, {1, 2, 3});
       const i64 c = g.dim(x, 1), h = g.dim(x, 2), w = g.dim(x, 3), k = c % 2 == 0 ? 2 : 1;
       const bool zero = g.coin();
       const auto first = [&](i64 n) { return zero ? 0 : n; };
       const ValueId a = g.add(Op::Reshape, {x, g.ints({first(-1), k, c / k, h, w})});
       const ValueId b =
           g.add(Op::Transpose, {a},
                 {{"perm", g.coin(4) ? g.permutation(5) : std::vector<i64>{0, 2, 1, 3, 4}}});
       g.put(g.add(Op::Reshape, {b, g.ints({first(-1), c, h, w})}));
     }},
    {"slices",
     [](Gen& g) {
       const ValueId a = slice(g, g.pick());
       g.put(slice(g, a));
       if (g.coin(5)) g.put(slice(g, a));
     }},
    {"slice_gather_squeeze",
     [](Gen& g) {
       const ValueId x = g.pick();
       const i64 a = g.below(g.rank(x)), at = g.coin(4) ? -1 : 0;
       if (g.coin()) {
         const ValueId s = g.add(
             Op::Slice, {x, g.ints({at}), g.ints({at < 0 ? INT64_MAX : at + 1}), g.ints({a})});
         g.put(g.add(Op::Squeeze, {s, g.ints({a})}));
       } else {
         const ValueId s = g.add(Op::Gather, {x, g.ints({}, {at})}, {{"axis", a}});
         g.put(g.add(Op::Unsqueeze, {s, g.ints({g.coin(4) ? 0 : a})}));
       }
     }},
    {"split_concat",
     [](Gen& g) {
       const ValueId x = g.pick();
       const i64 a = g.below(g.rank(x)), n = g.dim(x, a),
                 first = g.between(1, std::max<i64>(n - 1, 1));
       auto parts = g.add_many(Op::Split, {x, g.ints({first, n - first})}, 2, {{"axis", a}});
       if (g.coin(4)) parts[0] = g.unary(parts[0]);
       if (g.coin(5)) std::swap(parts[0], parts[1]);
       g.put(g.add(Op::Concat, parts, {{"axis", g.coin(5) ? g.below(g.rank(x)) : a}}));
       if (g.coin(4)) g.put(g.unary(parts[0]));
     }},
    {"concat_split",
     [](Gen& g) {
       const ValueId x = g.pick_static(g.between(2, 3));
       const i64 a = g.below(g.rank(x)), n = g.dim(x, a);
       const ValueId y = g.unary(x), c = g.add(Op::Concat, {x, y}, {{"axis", a}});
       const i64 first = g.coin(4) ? n + 1 : n;
       if (g.coin()) {
         for (ValueId v :
              g.add_many(Op::Split, {c, g.ints({first, 2 * n - first})}, 2, {{"axis", a}}))
           g.put(v);
       } else {
         const i64 from = g.below(n + 1);
         g.put(
             g.add(Op::Slice, {c, g.ints({from}), g.ints({from + g.between(1, n)}), g.ints({a})}));
       }
     }},
    {"concat_concat",
     [](Gen& g) {
       const ValueId x = g.pick();
       const i64 r = g.rank(x), a = g.below(r);
       const ValueId inner = g.add(Op::Concat, {x, g.coin() ? x : g.unary(x)}, {{"axis", a}});
       g.put(g.add(Op::Concat, {x, inner, g.coin(4) ? inner : x},
                   {{"axis", g.coin(6) ? g.below(r) : a - r}}));
     }},
    {"parallel_slices",
     [](Gen& g) {
       const ValueId x = g.pick();
       const i64 a = g.below(g.rank(x)), n = g.dim(x, a), cut = g.between(0, n);
       const ValueId p = g.add(Op::Slice, {x, g.ints({0}), g.ints({cut}), g.ints({a})});
       const ValueId q =
           g.add(Op::Slice, {x, g.ints({g.coin(4) ? 0 : cut}), g.ints({n}), g.ints({a})});
       g.put(g.add(Op::Concat, g.coin(4) ? std::vector{q, p} : std::vector{p, q}, {{"axis", a}}));
     }},
    {"expand_binary",
     [](Gen& g) {
       const ValueId x = g.pick(), s = g.coin() ? g.add(Op::Shape, {x}) : g.ints(g.dims(x));
       Dims small = g.dims(x);
       for (i64& d : small)
         if (g.coin()) d = 1;
       ValueId e = g.random(small);
       if (g.coin()) e = g.unary(g.input(to_shape(small)));
       e = g.add(Op::Expand, {e, s});
       g.put(g.commuted(g.one_of<Op>({Op::Add, Op::Mul, Op::Max}),
                        g.coin(3) ? g.input(to_shape(small)) : x, e));
     }},
    {"tile_binary",
     [](Gen& g) {
       const ValueId x = g.pick_static(g.between(1, 3));
       std::vector<i64> repeats = g.dims(x);
       Dims small = repeats;
       for (size_t i = 0; i < small.size(); ++i) (g.coin() ? small : repeats)[i] = 1;
       if (g.coin(8)) repeats[0] += 1;
       g.put(g.commuted(Op::Add, x,
                        g.add(Op::Tile, {g.unary(g.input(to_shape(small))), g.ints(repeats)})));
     }},
    {"computed_reshape",
     [](Gen& g) {
       const ValueId x = g.pick(g.between(2, 4));
       const i64 r = g.rank(x);
       std::vector<ValueId> parts;
       if (g.coin()) {
         for (i64 a = 0; a < r - 2; ++a) parts.push_back(size_of(g, x, a));
         parts.push_back(g.commuted(Op::Mul, size_of(g, x, r - 2), size_of(g, x, r - 1)));
       } else {
         for (i64 a = 0; a < r; ++a)
           parts.push_back(a == r - 1 && g.coin() ? g.ints({-1}) : size_of(g, x, a));
         if (g.coin(3)) std::swap(parts[0], parts.back());
       }
       if (g.coin(3)) parts.insert(parts.begin() + g.below(std::ssize(parts) + 1), g.ints({1}));
       ValueId target = g.add(Op::Concat, parts, {{"axis", i64(0)}});
       if (g.coin(4))
         target = g.add(Op::Cast, {g.add(Op::Cast, {target}, {{"to", i64(DType::f32)}})},
                        {{"to", i64(DType::i64)}});
       g.put(g.add(Op::Reshape, {x, target}));
     }},
    {"shape_values",
     [](Gen& g) {
       const ValueId x = g.pick();
       ValueId s = size_of(g, g.coin() ? g.unary(x) : transpose(g, x), g.below(g.rank(x)));
       for (i64 n = g.between(1, 3); n > 0; --n) {
         const Op op =
             g.one_of<Op>({Op::Add, Op::Mul, Op::Sub, Op::Div, Op::Max, Op::Min, Op::Mod});
         s = g.add(op, {s, g.coin(4) ? size_of(g, x, 0) : g.ints({g.between(1, 3)})});
       }
       g.put(g.add(Op::Cast, {s}, {{"to", i64(g.type)}}));
       if (g.coin(3))
         g.put(g.commuted(Op::Mul, x, g.add(Op::ConstantOfShape, {g.add(Op::Shape, {x})})));
     }},
    {"computed_expand",
     [](Gen& g) {
       const ValueId x = g.pick();
       const ValueId s = g.add(Op::Shape, {x});
       ValueId one = g.add(Op::ConstantOfShape, {s},
                           {{"value", TensorPtr(std::make_shared<const Tensor>(float_tensor(
                                          g.type, {1}, [&] { return g.coin(5) ? 2.0 : 1.0; })))}});
       g.put(g.commuted(g.one_of<Op>({Op::Mul, Op::Add}), x, one));
     }},
    {"computed_slice",
     [](Gen& g) {
       const ValueId x = g.pick();
       const i64 a = g.below(g.rank(x));
       ValueId end = size_of(g, g.coin(5) ? g.pick() : x, a);
       if (g.coin(3)) end = g.add(Op::Div, {end, g.ints({2})});
       g.put(g.add(Op::Slice, {x, g.ints({0}), end, g.ints({a})}));
     }},
    {"reduce_reshape",
     [](Gen& g) {
       const ValueId x = g.pick(g.between(2, 4));
       const i64 r = g.rank(x), a = g.below(r);
       const Op op = g.one_of<Op>({Op::ReduceMean, Op::ReduceSum, Op::ReduceMax, Op::ReduceL2});
       if (g.coin())
         g.put(g.add(Op::Unsqueeze, {g.add(op, {x, g.ints({a})}, {{"keepdims", i64(0)}}),
                                     g.ints({g.coin(4) ? 0 : a})}));
       else
         g.put(g.add(Op::Squeeze, {g.add(op, {x, g.ints({a - r})}), g.ints({a})}));
     }},
    {"space_depth",
     [](Gen& g) {
       const ValueId x = g.input(Shape{g.between(1, 2), 4, 2, 2});
       const std::string mode = g.coin() ? "DCR" : "CRD";
       const ValueId y = g.add(Op::DepthToSpace, {x}, {{"blocksize", i64(2)}, {"mode", mode}});
       g.put(g.coin() ? g.add(Op::SpaceToDepth, {y}, {{"blocksize", i64(2)}}) : g.unary(y));
     }},
    {"resize",
     [](Gen& g) {
       const ValueId x = g.pick(4, {1, 2, 3});
       const float s = g.coin() ? 1.0f : 2.0f;
       const ValueId scales = g.graph.add_constant(Tensor::of<float>({4}, {1.0f, 1.0f, s, s}));
       ValueId y = g.add(Op::Resize, {g.affine(x), {}, scales},
                         {{"mode", std::string(g.coin() ? "nearest" : "linear")}});
       g.put(g.coin() ? g.conv(y) : y);
     }},
};

}  // namespace

std::span<const Snippet> layout_snippets() { return kSnippets; }

}  // namespace sinter::fuzzing
