// SPDX-License-Identifier: Apache-2.0
#include "passes/detail/match.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "base/error.h"

namespace sinter::passes {

struct Pattern::Term {
  enum Kind { node, value, any_number, number, absent, anything, either } kind = value;
  Op op{};
  std::string name;
  double constant = 0;
  std::vector<std::shared_ptr<const Term>> parts;  // operands, or the alternatives
};

/// Recursive descent over the text; one function a rule of the grammar.
struct Pattern::Parser {
  using TermPtr = std::shared_ptr<const Term>;
  std::string_view text;
  size_t at = 0;
  std::map<std::string, TermPtr> named = {};

  char peek() {
    while (at < text.size() && text[at] == ' ') ++at;
    return at < text.size() ? text[at] : '\0';
  }
  void expect(char c) {
    SINTER_ASSERT(peek() == c);
    ++at;
  }
  std::string word() {
    const size_t start = at;
    while (at < text.size() && (std::isalnum(static_cast<unsigned char>(text[at])) ||
                                text[at] == '.' || text[at] == '_' || text[at] == '-'))
      ++at;
    SINTER_ASSERT(at > start);
    return std::string(text.substr(start, at - start));
  }
  TermPtr pattern() {
    while (peek() == '@') {
      const size_t start = at++;
      const std::string name = word();
      if (peek() != '=') {
        at = start;
        break;
      }
      ++at;
      named[name] = term();
      expect(';');
    }
    return term();
  }
  std::vector<TermPtr> list(char separator, char end) {
    std::vector<TermPtr> parts = {term()};
    while (peek() == separator) {
      ++at;
      parts.push_back(term());
    }
    expect(end);
    return parts;
  }
  TermPtr term() {
    Term t;
    const char c = peek();
    if (c == '@') {
      ++at;
      const auto found = named.find(word());
      SINTER_ASSERT(found != named.end());
      return found->second;
    }
    if (c == '{') {
      ++at;
      t.kind = Term::either;
      t.parts = list('|', '}');
    } else if (c == '?') {
      ++at;
      t.kind = Term::anything;
    } else if (c == '$') {
      ++at;
      t.kind = Term::any_number;
      t.name = word();
    } else if (std::isdigit(static_cast<unsigned char>(c)) || c == '-') {
      t.kind = Term::number;
      t.constant = std::stod(word());
    } else {
      t.name = word();
      if (t.name == "_") {
        t.kind = Term::absent;
      } else if (peek() == '(') {
        const std::optional<Op> op = find_op(t.name);
        SINTER_ASSERT(op.has_value());
        t.kind = Term::node;
        t.op = *op;
        ++at;
        t.parts = list(',', ')');
      }
    }
    return std::make_shared<const Term>(std::move(t));
  }
};

namespace {

bool is_commutative(Op op) {
  return op == Op::Add || op == Op::Mul || name(op) == "Max" || name(op) == "Min";
}

}  // namespace

/// Depth first over a list of goals (this term must be this value); a choice copies the state.
struct Pattern::Solver {
  struct Goal {
    const Term* term;
    ValueId value;
  };
  struct State {
    std::vector<Goal> goals;
    Match match;
  };
  const Graph& graph;

  bool solve(State& state) const {
    while (!state.goals.empty()) {
      const Goal goal = state.goals.back();
      state.goals.pop_back();
      switch (goal.term->kind) {
        case Term::anything:
          break;
        case Term::absent:
          if (goal.value.valid()) return false;
          break;
        case Term::value:
          if (!bind(state.match.values, goal.term->name, goal.value)) return false;
          break;
        case Term::any_number:
        case Term::number:
          if (!is_number(*goal.term, goal.value, state.match)) return false;
          break;
        case Term::either:
          return any_of_parts(*goal.term, goal.value, state);
        case Term::node:
          if (!is_node(*goal.term, goal.value, state.match)) return false;
          if (is_commutative(goal.term->op) && goal.term->parts.size() == 2)
            return both_orders(*goal.term, goal.value, state);
          if (!push_operands(*goal.term, *graph.producer(goal.value), false, state)) return false;
      }
    }
    return all_interior(state.match);
  }

  static bool bind(std::map<std::string, ValueId, std::less<>>& values, const std::string& name,
                   ValueId value) {
    return value.valid() && values.emplace(name, value).first->second == value;
  }

  bool is_number(const Term& term, ValueId value, Match& match) const {
    const std::optional<double> found = scalar(graph, value);
    if (!found) return false;
    match.scalar_rank = std::max(match.scalar_rank, graph.constant(value)->rank());
    const double expected = term.kind == Term::number
                                ? term.constant
                                : match.numbers.emplace(term.name, *found).first->second;
    return close_in(graph.dtype(value), *found, expected);
  }

  bool is_node(const Term& term, ValueId value, Match& match) const {
    const Node* node = graph.producer(value);
    if (node == nullptr || node->op != term.op || node->outputs[0] != value) return false;
    for (size_t i = term.parts.size(); i < node->inputs.size(); ++i)
      if (node->inputs[i].valid()) return false;
    const NodeId id = graph.value(value).producer;
    if (std::find(match.nodes.begin(), match.nodes.end(), id) == match.nodes.end())
      match.nodes.push_back(id);
    return true;
  }

  /// A cheap test that refuses most values before any state is copied.
  bool may_match(const Term& term, ValueId value) const {
    switch (term.kind) {
      case Term::node: {
        const Node* node = graph.producer(value);
        return node != nullptr && node->op == term.op;
      }
      case Term::number:
      case Term::any_number:
        return graph.constant(value) != nullptr;
      case Term::either:
        return std::any_of(term.parts.begin(), term.parts.end(),
                           [&](const auto& part) { return may_match(*part, value); });
      default:
        return true;
    }
  }

  bool push_operands(const Term& term, const Node& node, bool swapped, State& state) const {
    const size_t count = term.parts.size();
    const auto operand = [&](size_t i) { return input(node, swapped ? count - 1 - i : i); };
    for (size_t i = 0; i < count; ++i)
      if (!may_match(*term.parts[i], operand(i))) return false;
    for (size_t i = count; i-- > 0;) state.goals.push_back({term.parts[i].get(), operand(i)});
    return true;
  }

  bool both_orders(const Term& term, ValueId value, State& state) const {
    const Node& node = *graph.producer(value);
    for (bool swapped : {false, true}) {
      if (!may_match(*term.parts[0], input(node, swapped ? 1 : 0)) ||
          !may_match(*term.parts[1], input(node, swapped ? 0 : 1)))
        continue;
      State attempt = state;
      push_operands(term, node, swapped, attempt);
      if (!solve(attempt)) continue;
      state = std::move(attempt);
      return true;
    }
    return false;
  }

  bool any_of_parts(const Term& term, ValueId value, State& state) const {
    for (const auto& part : term.parts) {
      if (!may_match(*part, value)) continue;
      State attempt = state;
      attempt.goals.push_back({part.get(), value});
      if (!solve(attempt)) continue;
      state = std::move(attempt);
      return true;
    }
    return false;
  }

  /// Every use of an interior result is by a matched node.
  bool all_interior(const Match& match) const {
    for (size_t i = 0; i < match.nodes.size(); ++i) {
      const Node& node = graph.node(match.nodes[i]);
      for (size_t o = 1; o < node.outputs.size(); ++o)
        if (graph.use_count(node.outputs[o]) > 0) return false;
      if (i == 0) continue;
      if (graph.is_output(node.outputs[0])) return false;
      for (NodeId reader : graph.value(node.outputs[0]).readers)
        if (std::find(match.nodes.begin(), match.nodes.end(), reader) == match.nodes.end())
          return false;
    }
    return true;
  }
};

Pattern::Pattern(std::string_view text) {
  Parser parser{text};
  term_ = parser.pattern();
  SINTER_ASSERT(parser.peek() == '\0' && term_->kind == Term::node);
}
Pattern::~Pattern() = default;
Pattern::Pattern(Pattern&&) noexcept = default;

Op Pattern::root() const { return term_->op; }

std::optional<Match> Pattern::match(const Graph& graph, NodeId root) const {
  if (graph.node(root).op != term_->op) return std::nullopt;
  Solver::State state;
  state.goals.push_back({term_.get(), graph.node(root).outputs[0]});
  if (!Solver{graph}.solve(state)) return std::nullopt;
  return std::move(state.match);
}

std::vector<NodeId> Match::nodes_of(const Graph& graph, Op op) const {
  std::vector<NodeId> found;
  std::copy_if(nodes.begin(), nodes.end(), std::back_inserter(found),
               [&](NodeId id) { return graph.node(id).op == op; });
  return found;
}

std::optional<double> scalar(const Graph& graph, ValueId value) {
  const Tensor* t = graph.constant(value);
  if (t == nullptr || t->size() != 1 || !(is_float(t->dtype()) || is_integer(t->dtype())))
    return std::nullopt;
  return t->as_double(0);
}

bool close_in(DType type, double a, double b) {
  const double unit = type == DType::f16    ? 0x1p-10
                      : type == DType::bf16 ? 0x1p-7
                      : type == DType::f64  ? 0x1p-40
                                            : 0x1p-22;
  return a == b || (is_float(type) && std::abs(a - b) <= unit * std::abs(b));
}

std::optional<std::vector<i64>> integers(const Graph& graph, ValueId value) {
  if (!value.valid()) return std::vector<i64>{};
  const Tensor* t = graph.constant(value);
  if (t == nullptr || !is_integer(t->dtype())) return std::nullopt;
  return t->as_ints();
}

bool may_stand_for(const Graph& graph, ValueId now, ValueId old, const Match& match) {
  if (graph.dtype(now) != graph.dtype(old)) return false;
  const std::optional<Shape>&a = graph.shape(now), &b = graph.shape(old);
  if (!a || !b) return match.scalar_rank == 0;
  return std::equal(a->begin(), a->end(), b->begin(), b->end(), [](const Dim& x, const Dim& y) {
    return same(x, y) || (!x.is_known() && !y.is_known());
  });
}

}  // namespace sinter::passes
