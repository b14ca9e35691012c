// SPDX-License-Identifier: Apache-2.0
// The edit log: whatever is done to a graph, undo() takes it back exactly.
#include "graph/edit_log.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "base/random.h"
#include "graph/text.h"
#include "graph/verify.h"

namespace sinter {
namespace {

constexpr std::string_view kStart = R"(
  x = input [batch,4]
  a = Relu(x)
  b = Add(a, const [4] {1,2,3,4})
  c = Mul(b, a)
  d = Sigmoid(c)
  output first = d
  output second = b
)";

/// Everything that undo() promises, readers in their order included.
std::string state(const Graph& g) {
  std::string text = to_text(g);
  for (ValueId v : g.values()) {
    text += g.value(v).name + " " + std::to_string(v.index) + ":";
    for (NodeId reader : g.value(v).readers) text += " " + std::to_string(reader.index);
    text += "\n";
  }
  Graph copy = g.clone();
  const ValueId next = copy.add_constant(Tensor::scalar(1.f));
  return text + copy.value(next).name + std::to_string(next.index) + " nodes " +
         std::to_string(g.node_count()) + " of " + std::to_string(g.node_bound());
}

template <class Id>
Id pick(Rng& rng, const std::vector<Id>& ids) {
  return ids[size_t(rng.below(u64(ids.size())))];
}

/// One random edit; the graph stays sound except for stale types.
void edit(Graph& g, Rng& rng) {
  const std::vector<ValueId> values = g.values();
  switch (rng.below(8)) {
    case 0:
      g.add(Op::Relu, {pick(rng, values)});
      break;
    case 1:
      g.add(Op::Add, {pick(rng, values), pick(rng, values)});
      break;
    case 2:
      g.add_constant(Tensor::scalar(float(rng.below(9))));
      break;
    case 3: {  // to a later value only, so that no cycle appears
      const ValueId from = pick(rng, values), to = pick(rng, values);
      if (to.index < from.index) g.replace_uses(from, to);
      break;
    }
    case 4: {
      const NodeId n = pick(rng, g.nodes());
      g.set_input(n, 0, g.inputs()[0]);
      g.infer(n);
      break;
    }
    case 5:
      for (NodeId n : g.nodes())
        if (g.use_count(g.node(n).outputs[0]) == 0) return g.erase_node(n);
      break;
    case 6:
      for (ValueId v : g.constants())
        if (g.use_count(v) == 0) return g.erase_constant(v);
      break;
    default:
      g.set_input_type(g.inputs()[0], DType::f32, to_shape({i64(1 + rng.below(5)), 4}));
      g.infer_from(g.nodes());
  }
}

TEST(edit_log, undoes_random_edits_exactly) {
  const char* text = std::getenv("SINTER_TEST_SEED");
  const u64 first = text == nullptr ? 1 : std::strtoull(text, nullptr, 10);
  for (u64 seed = first; seed < first + 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng rng(seed);
    Graph g = parse_graph(kStart);
    EditLog log(g);
    for (int step = 0; step < 6; ++step) {
      const std::string before = state(g);
      for (u64 i = rng.below(12); i > 0; --i) edit(g, rng);
      Graph kept = g.clone();
      log.undo();
      ASSERT_EQ(state(g), before);
      ASSERT_TRUE(log.empty());
      ASSERT_NO_THROW(verify(g));
      for (u64 i = rng.below(3); i > 0; --i) edit(g, rng);  // edits that stay
      g.infer_all();
      log.begin();
    }
  }
}

TEST(edit_log, shows_what_was_there_before) {
  Graph g = parse_graph(kStart);
  const ValueId a = *g.find_value("a"), x = *g.find_value("x");
  const NodeId relu = g.value(a).producer;
  EditLog log(g);
  EXPECT_TRUE(log.empty());
  g.replace_uses(a, x);
  g.erase_node(relu);
  EXPECT_FALSE(log.empty());
  EXPECT_TRUE(log.was_alive(relu));
  EXPECT_FALSE(g.alive(relu));
  EXPECT_EQ(log.before(relu).op, Op::Relu);
  EXPECT_EQ(log.before(relu).inputs, std::vector<ValueId>{x});
  EXPECT_EQ(log.before(a).readers.size(), 2u);
  EXPECT_EQ(log.node_count_before(), 4);
  EXPECT_EQ(log.edited_nodes().size(), 3u);  // Relu and its two readers
}

TEST(edit_log, leaves_copies_of_the_graph_alone) {
  Graph g = parse_graph(kStart);
  EditLog log(g);
  Graph copy = g.clone();
  EXPECT_EQ(copy.log(), nullptr);
  copy.add(Op::Relu, {copy.inputs()[0]});
  EXPECT_TRUE(log.empty());
  g = copy;
  EXPECT_EQ(g.log(), &log);
}

TEST(edit_log, an_unused_input_can_go_and_come_back) {
  Graph g = parse_graph("x = input [2]\nu = input [3]\ny = Relu(x)\noutput y\n");
  EditLog log(g);
  const std::string before = state(g);
  g.erase_input(*g.find_value("u"));
  EXPECT_EQ(g.inputs().size(), 1u);
  EXPECT_NO_THROW(verify(g));
  log.undo();
  EXPECT_EQ(state(g), before);
}

TEST(infer_from, follows_changed_types_only) {
  Graph g = parse_graph(kStart);
  const ValueId x = g.inputs()[0], d = *g.find_value("d");
  EXPECT_FALSE(g.infer(g.value(d).producer));
  g.set_input_type(x, DType::f32, to_shape({7, 4}));
  g.infer_from(g.value(x).readers);
  EXPECT_EQ(to_text(*g.shape(d)), "[7,4]");
  EXPECT_NO_THROW(verify(g));
}

}  // namespace
}  // namespace sinter
