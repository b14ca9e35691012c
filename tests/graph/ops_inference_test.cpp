// SPDX-License-Identifier: Apache-2.0
// Symbolic inference: a small graph is inferred with named sizes, evaluated with numbers, and the
// inferred expressions with those numbers put in must be the evaluated dims.
#include "tests/graph/ops_support.h"

namespace sinter {
namespace {

using namespace test;

const Dim kBatch = Dim::symbol("batch"), kHeight = Dim::symbol("h"), kAny = Dim::unknown();

/// Builds with x [batch,4,h,6] of f32, evaluates for several sizes, compares every output.
void check(const std::string& what, bool exact,
           const std::function<ValueId(Graph&, ValueId)>& build, i64 smallest = 1) {
  for (i64 batch : {i64(1), i64(2), i64(5)})
    for (i64 height = smallest; height < smallest + 9; ++height) {
      SCOPED_TRACE(what + " batch " + std::to_string(batch) + " h " + std::to_string(height));
      Graph g;
      const ValueId x = g.add_input("x", DType::f32, Shape{kBatch, 4, kHeight, 6});
      const ValueId y = build(g, x);
      g.add_output("y", y);
      const Tensor in(DType::f32, {batch, 4, height, 6});
      const Tensor out = std::move(evaluate(g, std::span(&in, 1))[0]);
      EXPECT_EQ(out.dtype(), g.dtype(y));
      const std::map<std::string, i64> symbols = {{"batch", batch}, {"h", height}};
      expect_shape(g.shape(y), out.dims(), symbols, exact);
      if (const auto& content = g.value(y).type.dims) {
        ASSERT_EQ(std::ssize(*content), out.size());
        for (i64 i = 0; i < out.size(); ++i) {
          const Dim& d = content->at(size_t(i));
          if (d.is_known()) {
            EXPECT_EQ(DimValue(d.text(), symbols)(), out.as_int(i));
          }
          EXPECT_TRUE(d.is_known() || !exact);
        }
      }
    }
}

ValueId constant(Graph& g, std::vector<i64> values) { return g.add_constant(ints(values)); }
ValueId weights(Graph& g, Dims dims) { return g.add_constant(Tensor(DType::f32, std::move(dims))); }

std::vector<i64> list(std::initializer_list<i64> values) { return values; }

TEST(Inference, windows_of_any_setting_agree_with_evaluation) {
  const u64 seed = seed_or(0x1F);
  Rng rng(seed);
  for (int round = 0; round < 60; ++round) {
    const std::vector<i64> kernel = {1 + rng.below(3), 1 + rng.below(3)},
                           strides = {1 + rng.below(3), 1 + rng.below(3)},
                           dilations = {1 + rng.below(2), 1 + rng.below(2)},
                           pads = {rng.below(kernel[0]), rng.below(kernel[1]), rng.below(kernel[0]),
                                   rng.below(kernel[1])};
    const char* kModes[] = {"NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"};
    const std::string mode = kModes[rng.below(4)];
    Attributes a = {{"strides", strides}, {"dilations", dilations}, {"auto_pad", mode}};
    if (mode == "NOTSET") a.set("pads", pads);
    const std::string what = "seed " + std::to_string(seed) + " kernel " + to_text(kernel) +
                             " strides " + to_text(strides) + " dilations " + to_text(dilations) +
                             " pads " + to_text(pads) + mode;
    const i64 fits = (kernel[0] - 1) * dilations[0] + 1;
    check(
        "Conv " + what, true,
        [&](Graph& g, ValueId x) {
          return g.add(Op::Conv, {x, weights(g, {3, 4, kernel[0], kernel[1]})}, a);
        },
        fits);
    Attributes t = a;
    if (mode != "SAME_UPPER" && mode != "SAME_LOWER")
      t.set("output_padding", list({rng.below(2), rng.below(2)}));
    check(
        "ConvTranspose " + what, true,
        [&](Graph& g, ValueId x) {
          return g.add(Op::ConvTranspose, {x, weights(g, {4, 5, kernel[0], kernel[1]})}, t);
        },
        fits);
    const bool ceil_mode = rng.below(2);
    Attributes p = a;
    p.set("kernel_shape", kernel);
    p.set("ceil_mode", i64(ceil_mode));
    check(
        "MaxPool " + what, !ceil_mode,
        [&](Graph& g, ValueId x) { return g.add(Op::MaxPool, {x}, p); }, fits);
    p.erase("dilations");
    check(
        "AveragePool " + what, !ceil_mode,
        [&](Graph& g, ValueId x) { return g.add(Op::AveragePool, {x}, p); }, fits);
  }
}

TEST(Inference, ceil_mode_is_exact_where_no_window_can_be_dropped) {
  check(
      "ceil", true,
      [](Graph& g, ValueId x) {
        return g.add(
            Op::MaxPool, {x},
            {{"kernel_shape", list({3, 3})}, {"strides", list({2, 2})}, {"ceil_mode", i64(1)}});
      },
      3);
}

TEST(Inference, single_operators_are_exact_in_symbols) {
  using Build = std::function<ValueId(Graph&, ValueId)>;
  const std::pair<const char*, Build> cases[] = {
      {"Relu", [](Graph& g, ValueId x) { return g.add(Op::Relu, {x}); }},
      {"Add scalar",
       [](Graph& g, ValueId x) {
         return g.add(Op::Add, {x, weights(g, {})});
       }},
      {"Add channel",
       [](Graph& g, ValueId x) {
         return g.add(Op::Add, {x, weights(g, {4, 1, 1})});
       }},
      {"Mul self",
       [](Graph& g, ValueId x) {
         return g.add(Op::Mul, {x, x});
       }},
      {"Add longer",
       [](Graph& g, ValueId x) {
         return g.add(Op::Add, {weights(g, {2, 1, 1, 1, 1}), x});
       }},
      {"MatMul",
       [](Graph& g, ValueId x) {
         return g.add(Op::MatMul, {x, weights(g, {6, 3})});
       }},
      {"MatMul vector",
       [](Graph& g, ValueId x) {
         return g.add(Op::MatMul, {x, weights(g, {6})});
       }},
      {"GlobalAveragePool", [](Graph& g, ValueId x) { return g.add(Op::GlobalAveragePool, {x}); }},
      {"Flatten", [](Graph& g, ValueId x) { return g.add(Op::Flatten, {x}); }},
      {"Flatten 3",
       [](Graph& g, ValueId x) {
         return g.add(Op::Flatten, {x}, {{"axis", i64(3)}});
       }},
      {"Transpose",
       [](Graph& g, ValueId x) {
         return g.add(Op::Transpose, {x}, {{"perm", list({2, 0, 3, 1})}});
       }},
      {"Concat",
       [](Graph& g, ValueId x) {
         return g.add(Op::Concat, {x, x, x}, {{"axis", i64(2)}});
       }},
      {"Slice channels",
       [](Graph& g, ValueId x) {
         return g.add(Op::Slice, {x, constant(g, {1}), constant(g, {3}), constant(g, {1})});
       }},
      {"Slice every second row",
       [](Graph& g, ValueId x) {
         return g.add(Op::Slice, {x, constant(g, {0}), constant(g, {i64(1) << 40}),
                                  constant(g, {2}), constant(g, {2})});
       }},
      {"Slice backwards",
       [](Graph& g, ValueId x) {
         return g.add(Op::Slice, {x, constant(g, {-1}), constant(g, {-(i64(1) << 40)}),
                                  constant(g, {-2}), constant(g, {-3})});
       }},
      {"Gather",
       [](Graph& g, ValueId x) {
         return g.add(Op::Gather, {x, constant(g, {0, -1, 2})}, {{"axis", i64(1)}});
       }},
      {"Pad",
       [](Graph& g, ValueId x) {
         return g.add(Op::Pad, {x, constant(g, {0, 0, 1, 2, 0, 0, 3, -1})});
       }},
      {"Unsqueeze",
       [](Graph& g, ValueId x) {
         return g.add(Op::Unsqueeze, {x, constant(g, {0, -1})});
       }},
      {"Reshape rows",
       [](Graph& g, ValueId x) {
         return g.add(Op::Reshape, {x, constant(g, {0, -1})});
       }},
      {"Reshape split",
       [](Graph& g, ValueId x) {
         return g.add(Op::Reshape, {x, constant(g, {0, 2, 2, -1, 6})});
       }},
      {"Reshape flat",
       [](Graph& g, ValueId x) {
         return g.add(Op::Reshape, {x, constant(g, {-1, 3})});
       }},
      {"Expand",
       [](Graph& g, ValueId x) {
         return g.add(Op::Expand, {x, constant(g, {2, 1, 4, 1, 1})});
       }},
      {"ReduceMean",
       [](Graph& g, ValueId x) {
         return g.add(Op::ReduceMean, {x, constant(g, {-1, 2})}, {{"keepdims", i64(0)}});
       }},
      {"ReduceSum",
       [](Graph& g, ValueId x) {
         return g.add(Op::ReduceSum, {x, constant(g, {1})});
       }},
      {"ReduceSum all",
       [](Graph& g, ValueId x) {
         return g.add(Op::ReduceSum, {x}, {{"keepdims", i64(0)}});
       }},
      {"Cast",
       [](Graph& g, ValueId x) {
         return g.add(Op::Cast, {x}, {{"to", i64(DType::i32)}});
       }},
      {"Shape",
       [](Graph& g, ValueId x) {
         return g.add(Op::Shape, {x}, {{"start", i64(1)}});
       }},
      {"Dropout", [](Graph& g, ValueId x) { return g.add(Op::Dropout, {x}); }},
      {"Softmax", [](Graph& g, ValueId x) { return g.add(Op::Softmax, {x}); }},
  };
  for (const auto& [what, build] : cases) check(what, true, build);
}

TEST(Inference, shape_computations_stay_exact_through_their_operators) {
  // The exporter's view(x.size(0), -1), and a size put together from parts of others.
  check("view", true, [](Graph& g, ValueId x) {
    const ValueId shape = g.add(Op::Shape, {x});
    const ValueId batch = g.add(Op::Gather, {shape, g.add_constant(Tensor::scalar<i64>(0))});
    const ValueId row = g.add(Op::Unsqueeze, {batch, constant(g, {0})});
    const ValueId target = g.add(Op::Concat, {row, constant(g, {-1})}, {{"axis", i64(0)}});
    return g.add(Op::Reshape, {x, target});
  });
  check("arithmetic", true, [](Graph& g, ValueId x) {
    const ValueId shape = g.add(Op::Shape, {x});
    const ValueId spatial =
        g.add(Op::Slice, {shape, constant(g, {2}), constant(g, {i64(1) << 60})});
    const ValueId doubled = g.add(Op::Mul, {spatial, constant(g, {2})});
    const ValueId more = g.add(Op::Add, {doubled, constant(g, {1, 0})});
    const ValueId half = g.add(Op::Div, {more, g.add_constant(Tensor::scalar<i64>(2))});
    const ValueId less = g.add(Op::Sub, {half, constant(g, {0, 1})});
    const ValueId narrow = g.add(Op::Cast, {less}, {{"to", i64(DType::i32)}});
    const ValueId wide = g.add(Op::Cast, {narrow}, {{"to", i64(DType::i64)}});
    return g.add(Op::ConstantOfShape, {wide});
  });
  check("content itself", true, [](Graph& g, ValueId x) {
    const ValueId shape = g.add(Op::Shape, {x});
    const NodeId split = g.add_node(Op::Split, {shape, constant(g, {1, 3})}, {}, {"", ""});
    const ValueId turned =
        g.add(Op::Concat, {g.node(split).outputs[1], g.node(split).outputs[0]}, {{"axis", i64(0)}});
    const ValueId flat = g.add(Op::Reshape, {turned, constant(g, {-1})});
    return g.add(Op::Identity, {flat});
  });
  check("expand as exported", true, [](Graph& g, ValueId x) {
    // Where(target == -1, 1, target): how exporters spell expand(-1, ...)
    const ValueId shape = g.add(Op::Shape, {x});
    const ValueId ones = g.add(Op::ConstantOfShape, {constant(g, {4})},
                               {{"value", std::make_shared<const Tensor>(ints({1}))}});
    const ValueId minus = g.add(Op::Mul, {ones, constant(g, {-1})});
    const ValueId equal = g.add(Op::Equal, {shape, minus});
    return g.add(Op::Expand, {x, g.add(Op::Where, {equal, ones, shape})});
  });
  check("channel shuffle", true, [](Graph& g, ValueId x) {
    const ValueId split = g.add(Op::Reshape, {x, constant(g, {0, 2, 2, -1, 6})});
    const ValueId turned = g.add(Op::Transpose, {split}, {{"perm", list({0, 2, 1, 3, 4})}});
    return g.add(Op::Reshape, {turned, g.add(Op::Shape, {x})});
  });
}

TEST(Inference, says_nothing_rather_than_something_wrong) {
  check("Slice rows", true, [](Graph& g, ValueId x) {
    return g.add(Op::Slice, {x, constant(g, {2}), constant(g, {-1}), constant(g, {2})});
  });
  check("Slice of the last rows and the sum with a table of as many", true,
        [](Graph& g, ValueId x) {
          const ValueId rows = g.add(Op::Shape, {x}, {{"start", i64(2)}, {"end", i64(3)}});
          const ValueId cut =
              g.add(Op::Slice, {weights(g, {4, 9, 6}), constant(g, {0}), rows, constant(g, {1})});
          return g.add(Op::Add, {x, cut});
        });
  check("Slice to a bound", true, [](Graph& g, ValueId x) {
    return g.add(Op::Slice, {x, constant(g, {0}), constant(g, {3}), constant(g, {2})});
  });
  check("Split rows", true, [](Graph& g, ValueId x) {
    return g.node(g.add_node(Op::Split, {x}, {{"axis", i64(2)}}, {"", ""})).outputs[1];
  });
  check("Squeeze without axes", false, [](Graph& g, ValueId x) { return g.add(Op::Squeeze, {x}); });
  check("two symbols", false, [](Graph& g, ValueId x) {
    const ValueId wide = g.add(Op::ReduceMean, {x, constant(g, {2})});  // [batch,4,1,6]
    return g.add(Op::Add, {x, wide});
  });
  Graph g;
  const ValueId free = g.add_input("x", DType::f32, std::nullopt);
  const ValueId a = g.add_input("a", DType::f32, Shape{kBatch, kAny}),
                b = g.add_input("b", DType::f32, Shape{kHeight, 5});
  EXPECT_FALSE(g.shape(g.add(Op::Add, {free, a})));
  EXPECT_FALSE(g.shape(g.add(Op::Conv, {free, weights(g, {2, 2, 3})})));
  const Shape sum = *g.shape(g.add(Op::Add, {a, b}));
  EXPECT_FALSE(sum[0].is_known());
  EXPECT_TRUE(sum[1].is(5));
  const ValueId target = g.add_input("target", DType::i64, Shape{3});
  const ValueId shaped = g.add(Op::Reshape, {a, target});
  ASSERT_TRUE(g.shape(shaped));
  EXPECT_EQ(g.shape(shaped)->size(), 3u);
  EXPECT_FALSE(g.shape(shaped)->at(0).is_known());
  EXPECT_EQ(g.shape(g.add(Op::ConstantOfShape, {target}))->size(), 3u);
}

TEST(Inference, finds_contradictions_when_the_node_is_added) {
  Graph g;
  const ValueId x = g.add_input("x", DType::f32, Shape{kBatch, 4, kHeight, 6});
  const ValueId n = g.add_input("n", DType::i64, Shape{2});
  const auto fails = [&](const std::string& part, const std::function<void()>& body) {
    expect_error(ErrorKind::bad_input, part, body);
  };
  fails("found i64", [&] { g.add(Op::Add, {x, n}); });
  fails("do not broadcast", [&] { g.add(Op::Add, {x, weights(g, {5})}); });
  fails("channels", [&] { g.add(Op::Conv, {x, weights(g, {2, 3, 1, 1})}); });
  fails("cannot reshape", [&] { g.add(Op::Reshape, {g.add(Op::Shape, {x}), constant(g, {5})}); });
  fails("expected [4]", [&] {
    const ValueId p = weights(g, {3});
    g.add(Op::BatchNormalization, {x, p, p, p, p});
  });
  fails("axis", [&] { g.add(Op::Concat, {x, x}, {{"axis", i64(4)}}); });
  fails("inner sizes", [&] { g.add(Op::MatMul, {x, weights(g, {5, 2})}); });
  fails("indices", [&] { g.add(Op::Gather, {x, constant(g, {4})}, {{"axis", i64(1)}}); });
}

TEST(Inference, content_that_does_not_fit_its_type_is_unknown) {
  Graph g;
  const ValueId x = g.add_input("x", DType::f32, Shape{i64(1) << 40, kBatch});
  const ValueId shape = g.add(Op::Shape, {x});
  const ValueId narrow = g.add(Op::Cast, {shape}, {{"to", i64(DType::i32)}});
  const auto& content = *g.value(narrow).type.dims;
  EXPECT_FALSE(content[0].is_known());
  EXPECT_TRUE(same(content[1], kBatch));
}

}  // namespace
}  // namespace sinter
