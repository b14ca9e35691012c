// SPDX-License-Identifier: Apache-2.0
// Runs the cases of tests/golden (format: tests/golden/README.md): structure after the pass,
// equality on the reference evaluator, idempotence, skip reasons.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "graph/text.h"
#include "graph/verify.h"
#include "passes/check_equal.h"
#include "passes/pipeline.h"

namespace sinter {
namespace {

struct Case {
  std::string file, name, pass, before, after, skipped;
  double tolerance = 2e-5;
  i64 runs = 6, changes = -1, line = 0;
  bool unchanged = false, executed = true;
  PassOptions options{.max_opset = 17};
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.file << ":" << c.line; }

/// Float constants of "after" need no elements: `const [4,3]` becomes zeros.
std::string with_elements(const std::string& text) {
  static const std::regex bare(R"(const (f32|f64|f16)?(\[[0-9,]*\])(?! *\{))");
  return std::regex_replace(text, bare, "fill $1$2 0");
}

bool starts_with(const std::string& line, std::string_view prefix, std::string& rest) {
  if (line.rfind(prefix, 0) != 0) return false;
  rest = line.substr(prefix.size());
  return true;
}

std::vector<Case> read_cases(const std::filesystem::path& path) {
  std::vector<Case> cases;
  std::ifstream in(path);
  std::string line, rest;
  std::string* graph = nullptr;
  for (i64 number = 1; std::getline(in, line); ++number) {
    if (starts_with(line, "case ", rest)) {
      cases.push_back({});
      cases.back().file = path.filename().string();
      cases.back().name = rest;
      cases.back().line = number;
      continue;
    }
    if (line.empty() || line[0] == '#') continue;
    require(!cases.empty(), ErrorKind::bad_input, path.string(), ":", number, ": no case");
    Case& c = cases.back();
    if (line[0] == ' ') {
      require(graph != nullptr, ErrorKind::bad_input, path.string(), ":", number, ": no graph");
      *graph += line + "\n";
      continue;
    }
    graph = nullptr;
    if (starts_with(line, "pass ", rest))
      c.pass = rest;
    else if (line == "before")
      graph = &c.before;
    else if (line == "after")
      graph = &c.after;
    else if (line == "unchanged")
      c.unchanged = true;
    else if (line == "not executed")
      c.executed = false;
    else if (line == "approx_ties")
      c.options.approx_ties = true;
    else if (line == "profile fhe")
      c.options.profile = Profile::fhe;
    else if (line == "profile ort")
      c.options.profile = Profile::ort;
    else if (starts_with(line, "opset ", rest))
      c.options.max_opset = std::stoll(rest);
    else if (starts_with(line, "changes ", rest))
      c.changes = std::stoll(rest);
    else if (starts_with(line, "skipped ", rest))
      c.skipped = rest;
    else if (starts_with(line, "same within ", rest)) {
      std::istringstream words(rest);
      std::string over;
      words >> c.tolerance >> over >> c.runs;
    } else {
      fail(ErrorKind::bad_input, path.string(), ":", number, ": not understood: ", line);
    }
  }
  return cases;
}

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  const std::filesystem::path folder = std::filesystem::path(SINTER_SOURCE_DIR) / "tests/golden";
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".graph")
      for (Case& c : read_cases(entry.path())) cases.push_back(std::move(c));
  std::sort(cases.begin(), cases.end(), [](const Case& a, const Case& b) {
    return std::tie(a.file, a.line) < std::tie(b.file, b.line);
  });
  return cases;
}

/// The graph behind its outputs, without names: one line a node, values numbered on first sight.
class Structure {
 public:
  explicit Structure(const Graph& graph) : graph_(graph) {
    for (ValueId v : graph.inputs()) {
      const Value& value = graph.value(v);
      lines_ += "input " + value.name + " " + std::string(name(value.type.dtype)) +
                (value.type.shape ? to_text(*value.type.shape) : "?") + "\n";
      names_[v] = value.name;
    }
    for (const GraphOutput& o : graph.outputs()) {
      const std::string source = visit(o.value);
      lines_ += "output " + o.name + " = " + source + "\n";
    }
  }
  const std::string& text() const { return lines_; }

 private:
  std::string constant(const Tensor& t) const {
    std::string text = std::string(name(t.dtype())) + to_text(t.dims());
    if (is_float(t.dtype()) || t.dtype() == DType::string) return text;
    text += "{";
    for (i64 i = 0; i < t.size(); ++i) text += (i ? "," : "") + std::to_string(t.as_int(i));
    return text + "}";
  }
  std::string attribute(const AttributeValue& value) const {
    std::ostringstream text;
    if (const auto* i = std::get_if<i64>(&value))
      text << *i;
    else if (const auto* f = std::get_if<float>(&value))
      text << *f;
    else if (const auto* s = std::get_if<std::string>(&value))
      text << *s;
    else if (const auto* t = std::get_if<TensorPtr>(&value))
      text << constant(**t);
    else if (const auto* list = std::get_if<std::vector<i64>>(&value))
      text << to_text(*list);
    else
      text << "list " << value.index();
    return text.str();
  }
  std::string visit(ValueId v) {
    if (!v.valid()) return "_";
    if (const auto it = names_.find(v); it != names_.end()) return it->second;
    if (const Tensor* t = graph_.constant(v)) return constant(*t);
    const Node& n = *graph_.producer(v);
    std::string line = std::string(name(n.op)) + "(";
    for (size_t i = 0; i < n.inputs.size(); ++i) line += (i ? ", " : "") + visit(n.inputs[i]);
    line += ")";
    for (const auto& [key, value] : n.attributes) line += " " + key + "=" + attribute(value);
    for (ValueId out : n.outputs) names_[out] = "%" + std::to_string(next_++);
    lines_ += names_[n.outputs[0]] + " = " + line + "\n";
    return names_[v];
  }

  const Graph& graph_;
  std::map<ValueId, std::string> names_;
  std::string lines_;
  i64 next_ = 0;
};

/// Runs the case's pass once.
PassStats run_once(Graph& graph, const Case& c) {
  if (c.pass == "optimize") {
    PassStats stats;
    OptimizeOptions options;
    options.rules = c.options;
    for (PassReport& row : optimize(graph, options).passes) {
      stats.changed += row.changed;
      for (Skip& s : row.skipped) stats.skipped.push_back(std::move(s));
    }
    return stats;
  }
  const PassInfo* info = find_pass(c.pass);
  require(info != nullptr, ErrorKind::bad_input, "no pass is called ", c.pass);
  return run_pass(graph, *info, true, c.options);
}

void expect_same(const Case& c, const Graph& before, const Graph& after) {
  for (i64 run = 0; run < c.runs; ++run) {
    const std::vector<Tensor> inputs = sample_inputs(before, 4 * run, 7);  // standard normal
    const std::vector<Tensor> a = evaluate(before, inputs), b = evaluate(after, inputs);
    ASSERT_EQ(a.size(), b.size());
    for (size_t o = 0; o < a.size(); ++o) {
      ASSERT_EQ(a[o].dims(), b[o].dims());
      ASSERT_EQ(a[o].dtype(), b[o].dtype());
      double largest = 1;
      for (i64 i = 0; i < a[o].size(); ++i)
        if (std::isfinite(a[o].as_double(i)))
          largest = std::max(largest, std::abs(a[o].as_double(i)));
      for (i64 i = 0; i < a[o].size(); ++i)
        ASSERT_TRUE(a[o].as_double(i) == b[o].as_double(i) ||
                    std::abs(a[o].as_double(i) - b[o].as_double(i)) <= c.tolerance * largest)
            << "run " << run << ", output " << o << ", element " << i << ": " << a[o].as_double(i)
            << " became " << b[o].as_double(i);
    }
  }
}

class Golden : public testing::TestWithParam<Case> {};

TEST_P(Golden, does_what_the_file_says) {
  const Case& c = GetParam();
  SCOPED_TRACE(c.file + ":" + std::to_string(c.line) + ": " + c.name);
  const Graph before = parse_graph(c.before, 11);
  Graph graph = before.clone();
  const PassStats stats = run_once(graph, c);
  const Graph expected = c.unchanged ? before.clone() : parse_graph(with_elements(c.after), 11);
  EXPECT_EQ(Structure(graph).text(), Structure(expected).text());
  if (c.unchanged) {
    EXPECT_EQ(stats.changed, 0);
  } else {
    EXPECT_GT(stats.changed, 0);
  }
  if (c.changes >= 0) {
    EXPECT_EQ(stats.changed, c.changes);
  }
  if (!c.skipped.empty()) {
    std::string reasons;
    for (const Skip& s : stats.skipped) reasons += s.where + ": " + s.reason + "\n";
    EXPECT_NE(reasons.find(c.skipped), std::string::npos) << "reasons given:\n" << reasons;
  }
  if (c.executed) expect_same(c, before, graph);
  Graph again = graph.clone();
  EXPECT_EQ(run_once(again, c).changed, 0) << "running twice changes something";
  EXPECT_EQ(Structure(again).text(), Structure(graph).text());
}

std::string case_name(const testing::TestParamInfo<Case>& info) {
  std::string text = info.param.pass + "__" + info.param.name;
  for (char& ch : text)
    if (!std::isalnum(static_cast<unsigned char>(ch))) ch = '_';
  return text;
}

INSTANTIATE_TEST_SUITE_P(files, Golden, testing::ValuesIn(all_cases()), case_name);

TEST(golden_files, hold_a_positive_and_two_near_misses_for_every_pass) {
  std::map<std::string, std::pair<i64, i64>> counts;
  for (const Case& c : all_cases()) ++(c.unchanged ? counts[c.pass].second : counts[c.pass].first);
  for (const PassInfo& pass : all_passes()) {
    const auto [positive, near_miss] = counts[std::string(pass.name)];
    EXPECT_GE(positive, 1) << pass.name;
    EXPECT_GE(near_miss, 2) << pass.name;
  }
}

}  // namespace
}  // namespace sinter
