// SPDX-License-Identifier: Apache-2.0
#include "graph/text.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "base/random.h"

namespace sinter {
namespace {

// -- printing ------------------------------------------------------------------------------------

std::string quoted(std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\')
      out += '\\', out += c;
    else if (u8(c) < 32)
      out += "\\x", out += kHex[u8(c) >> 4], out += kHex[u8(c) & 15];
    else
      out += c;
  }
  return out + '"';
}

/// Shortest text that reads back to the same bits, always with '.', 'e', "inf" or "nan" in it.
template <class T>
std::string real_text(T v) {
  using Bits = std::conditional_t<sizeof(T) == 4, u32, u64>;
  if (std::isnan(v)) {
    if (std::bit_cast<Bits>(v) == std::bit_cast<Bits>(std::numeric_limits<T>::quiet_NaN()))
      return "nan";
    char bits[24];
    std::snprintf(bits, sizeof bits, "nan:%llx", (unsigned long long)std::bit_cast<Bits>(v));
    return bits;
  }
  if (std::isinf(v)) return v < 0 ? "-inf" : "inf";
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, v).ptr;
  std::string text(buffer, end);
  return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

bool is_plain(std::string_view name) {
  if (name.empty() || name == "_" || (name[0] >= '0' && name[0] <= '9')) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return std::isalnum(u8(c)) || c == '_' || c == '.' || c == '/' || c == ':';
  });
}
std::string name_text(std::string_view name) {
  constexpr std::string_view kWords[] = {"input", "const", "random", "positive", "fill", "output"};
  const bool reserved = std::find(std::begin(kWords), std::end(kWords), name) != std::end(kWords);
  return is_plain(name) && !reserved ? std::string(name) : "%" + quoted(name);
}

std::string element_text(const Tensor& t, i64 i) {
  switch (t.dtype()) {
    case DType::string:
      return quoted(t.strings()[size_t(i)]);
    case DType::f32:
      return real_text(t.data<float>()[size_t(i)]);
    case DType::f64:
      return real_text(t.data<double>()[size_t(i)]);
    case DType::f16:
      return std::to_string(t.data<Half>()[size_t(i)].bits);
    case DType::bf16:
      return std::to_string(t.data<BFloat>()[size_t(i)].bits);
    case DType::u64:
      return std::to_string(t.data<u64>()[size_t(i)]);
    default:
      return std::to_string(t.as_int(i));
  }
}

std::string tensor_text(const Tensor& t, i64 max_elements) {
  std::string text = std::string(name(t.dtype())) + to_text(t.dims()) + " {";
  const bool cut = max_elements >= 0 && t.size() > max_elements;
  const i64 shown = cut ? max_elements : t.size();
  for (i64 i = 0; i < shown; ++i) text += (i ? ", " : "") + element_text(t, i);
  return text + (cut ? (shown ? ", ...}" : "...}") : "}");
}

template <class T, class Text>
std::string list_text(const std::vector<T>& list, const Text& text_of) {
  std::string text = "[";
  for (const T& v : list) text += (text.size() > 1 ? "," : "") + text_of(v);
  return text + "]";
}

std::string indented(std::string_view lines) {
  std::string out;
  for (size_t at = 0; at < lines.size();) {
    const size_t end = lines.find('\n', at) + 1;
    out += "  " + std::string(lines.substr(at, end - at));
    at = end;
  }
  return out;
}

std::string attribute_text(const AttributeValue& value, i64 max_elements) {
  struct Printer {
    i64 max;
    std::string operator()(i64 v) const { return std::to_string(v); }
    std::string operator()(float v) const { return real_text(v); }
    std::string operator()(const std::string& v) const { return quoted(v); }
    std::string operator()(const TensorPtr& v) const { return tensor_text(*v, max); }
    std::string operator()(const GraphPtr& v) const {
      return "{\n" + indented(to_text(*v, {max})) + "}";
    }
    std::string operator()(const std::vector<i64>& v) const {
      return list_text(v, [](i64 x) { return std::to_string(x); });
    }
    std::string operator()(const std::vector<float>& v) const {
      return "f" + list_text(v, [](float x) { return real_text(x); });
    }
    std::string operator()(const std::vector<std::string>& v) const {
      return "s" + list_text(v, [](const std::string& x) { return quoted(x); });
    }
  };
  return std::visit(Printer{max_elements}, value);
}

std::string shape_text(const Shape& shape) {
  return list_text(shape, [](const Dim& d) {
    const std::string text = d.text();
    return d.value() || is_plain(text) || text == "?" ? text : quoted(text);
  });
}

std::string type_text(const ValueType& type) {
  if (!is_container(type.dtype))
    return std::string(name(type.dtype)) + (type.shape ? shape_text(*type.shape) : "");
  return std::string(name(type.dtype)) + "(" + (type.element ? type_text(*type.element) : "") + ")";
}

// -- parsing -------------------------------------------------------------------------------------

class Parser {
 public:
  Parser(std::string_view text, u64 seed) : text_(text), rng_(seed) {}

  Graph parse() {
    statements();
    if (!at_end()) error("expected a statement, found \"}\"");
    return std::move(graph_);
  }

 private:
  /// Up to the end or to a closing brace.
  void statements() {
    while (true) {
      skip_space(true);
      if (at_end() || peek() == '}') return;
      const size_t start = at_;
      try {
        statement();
      } catch (const Error& e) {  // what the graph or a tensor found wrong
        if (std::string_view(e.what()).rfind("line ", 0) == 0) throw;
        at_ = start;
        error(e.what());
      }
      skip_space(false);
      if (!at_end() && peek() != '}') expect('\n', "end of line");
    }
  }
  /// A body: its names are its own.
  GraphPtr body() {
    if (++depth_ > kMaxDepth) error("bodies nest more than ", kMaxDepth, " deep");
    Graph outer = std::move(graph_);
    graph_ = Graph();
    expect('{', "\"{\"");
    statements();
    expect('}', "\"}\"");
    std::swap(graph_, outer);
    --depth_;
    return std::make_shared<const Graph>(std::move(outer));
  }
  template <class... Parts>
  [[noreturn]] void error(const Parts&... parts) const {
    const i64 line = 1 + std::count(text_.begin(), text_.begin() + i64(at_), '\n');
    fail(ErrorKind::bad_input, "line ", line, ": ", parts...);
  }
  bool at_end() const { return at_ >= text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[at_]; }
  void skip_space(bool newlines) {
    while (!at_end()) {
      if (peek() == '#')
        at_ = std::min(text_.find('\n', at_), text_.size());
      else if (peek() == ' ' || peek() == '\t' || peek() == '\r' || (newlines && peek() == '\n'))
        ++at_;
      else
        break;
    }
  }
  bool accept(char c) {
    skip_space(false);
    if (peek() != c || at_end()) return false;
    ++at_;
    return true;
  }
  void expect(char c, std::string_view what) {
    if (!accept(c)) error("expected ", what, ", found \"", text_.substr(at_, 12), "\"");
  }
  std::string_view word() {
    skip_space(false);
    const size_t start = at_;
    while (!at_end() && (std::isalnum(u8(peek())) || std::strchr("_./:+-", peek()) != nullptr))
      ++at_;
    if (at_ == start) error("expected a word, found \"", text_.substr(at_, 12), "\"");
    return text_.substr(start, at_ - start);
  }
  std::string string() {
    expect('"', "a quoted text");
    std::string out;
    while (true) {
      if (at_end()) error("expected a closing quote, found the end");
      char c = text_[at_++];
      if (c == '"') return out;
      if (c == '\\' && !at_end()) {
        c = text_[at_++];
        if (c == 'x') {
          int code = 0;
          const char* from = text_.data() + at_;
          const char* to = text_.data() + std::min(at_ + 2, text_.size());
          if (to - from != 2 || std::from_chars(from, to, code, 16).ptr != to)
            error("expected two hexadecimal digits after \\x");
          c = char(code);
          at_ += 2;
        }
      }
      out += c;
    }
  }
  std::string value_name() {
    if (accept('%')) return string();
    return std::string(word());
  }
  template <class T = i64>
  T integer(std::string_view token) {
    T v = 0;
    const auto [end, status] = std::from_chars(token.data(), token.data() + token.size(), v);
    if (status != std::errc() || end != token.data() + token.size())
      error("expected an integer", sizeof(T) < 8 ? " in range" : "", ", found \"", token, "\"");
    return v;
  }
  /// Decimal, hexadecimal ("0x1p-3"), "inf", "nan", or a NaN by its bits ("nan:7fc00001").
  template <class T>
  T real(std::string_view token) {
    const std::string copy(token);
    char* end = nullptr;
    if (token.rfind("nan:", 0) == 0) {
      const u64 bits = std::strtoull(copy.c_str() + 4, &end, 16);
      if (end == copy.c_str() + copy.size()) {
        if constexpr (sizeof(T) == 4)
          return std::bit_cast<T>(u32(bits));
        else
          return std::bit_cast<T>(bits);
      }
      end = nullptr;
    }
    T v;
    if constexpr (sizeof(T) == 4)
      v = std::strtof(copy.c_str(), &end);  // rounded once, straight to float
    else
      v = std::strtod(copy.c_str(), &end);
    if (copy.empty() || end != copy.c_str() + copy.size())
      error("expected a number, found \"", token, "\"");
    return v;
  }

  template <class Item>
  auto list(char open, char close, const Item& item) {
    std::vector<decltype(item())> items;
    expect(open, std::string("\"") + open + "\"");
    while (!accept(close)) {
      if (!items.empty()) expect(',', "\",\" between items");
      items.push_back(item());
    }
    return items;
  }
  Dim dim() {
    skip_space(false);
    if (accept('?')) return Dim::unknown();
    if (peek() == '"') return Dim::symbol(string());
    const std::string_view token = word();
    return std::isdigit(u8(token[0])) ? Dim(integer(token)) : Dim::symbol(token);
  }
  /// `f32` may be left out before `[`.
  DType dtype() {
    skip_space(false);
    if (peek() == '[') return DType::f32;
    const std::string_view token = word();
    const auto type = find_dtype(token);
    if (!type || *type == DType::none) error("expected an element type, found \"", token, "\"");
    return *type;
  }
  /// `f32[2,n]`, `i64`, `sequence(f32[2])`, `optional()`.
  ValueType value_type() {
    ValueType type;
    type.dtype = dtype();
    skip_space(false);
    if (is_container(type.dtype)) {
      if (++depth_ > kMaxDepth) error("types nest more than ", kMaxDepth, " deep");
      expect('(', "\"(\"");
      if (!accept(')')) {
        type.element = std::make_shared<const ValueType>(value_type());
        expect(')', "\")\"");
      }
      --depth_;
    } else if (peek() == '[') {
      type.shape = list('[', ']', [&] { return dim(); });
    }
    return type;
  }
  Dims dims() {
    const Dims d = list('[', ']', [&] {
      const i64 n = integer(word());
      if (n < 0) error("expected a dimension, found ", n);
      return n;
    });
    if (element_count(d) > (i64(1) << 28)) error("tensor of ", to_text(d), " is too large");
    return d;
  }
  Tensor braced(DType type, Dims d) {
    Tensor t(type, d);
    i64 count = 0;
    expect('{', "\"{\"");
    while (!accept('}')) {
      if (count > 0) expect(',', "\",\" between elements");
      if (count >= t.size()) error("expected ", t.size(), " elements, found more");
      element(t, count++);
    }
    if (count != t.size()) error("expected ", t.size(), " elements, found ", count);
    return t;
  }
  void element(Tensor& t, i64 i) {
    switch (t.dtype()) {
      case DType::string:
        t.mutable_strings()[size_t(i)] = string();
        return;
      case DType::f32:
        t.mutable_data<float>()[size_t(i)] = real<float>(word());
        return;
      case DType::f64:
        t.mutable_data<double>()[size_t(i)] = real<double>(word());
        return;
      case DType::boolean: {
        const i64 v = integer(word());
        if (v != 0 && v != 1) error("expected 0 or 1, found ", v);
        t.mutable_data<bool>()[size_t(i)] = v != 0;
        return;
      }
      default:  // f16 and bf16 by their bits
        for_type(t.dtype(), "text", [&](auto zero) {
          using T = decltype(zero);
          if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat>)
            t.mutable_data<T>()[size_t(i)] = T{integer<u16>(word())};
          else if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>)
            t.mutable_data<T>()[size_t(i)] = integer<T>(word());
        });
    }
  }
  template <class Draw>
  Tensor drawn(const Draw& draw) {
    const DType type = dtype();
    Tensor t(type, dims());
    for_type(type, "text", [&](auto zero) {
      using T = decltype(zero);
      for (T& v : t.mutable_data<T>()) {
        if constexpr (std::is_same_v<T, Half>)
          v = to_half(float(draw()));
        else if constexpr (std::is_same_v<T, BFloat>)
          v = to_bfloat(float(draw()));
        else
          v = T(draw());
      }
    });
    return t;
  }
  /// A constant in place, or nullopt when the word is not one of its keywords.
  std::optional<Tensor> constant(std::string_view keyword) {
    if (keyword == "random") return drawn([&] { return rng_.normal(); });
    if (keyword == "positive") return drawn([&] { return rng_.uniform(0.5, 1.5); });
    if (keyword == "const") {
      const DType type = dtype();
      Dims d = dims();
      return braced(type, std::move(d));
    }
    if (keyword != "fill") return std::nullopt;
    const DType type = dtype();
    const Dims d = dims();
    const double value = real<double>(word());
    const std::vector<double> values(size_t(element_count(d)), value);
    return convert(Tensor::of<double>(d, std::span<const double>(values)), type);
  }
  ValueId known(const std::string& name) {
    const auto v = graph_.find_value(name);
    if (!v) error("expected a value defined above, found \"", name, "\"");
    return *v;
  }
  ValueId operand() {
    if (accept('%')) return known(string());
    const std::string_view token = word();
    if (token == "_") return {};
    if (auto t = constant(token)) return graph_.add_constant(std::move(*t));
    return known(std::string(token));
  }
  AttributeValue attribute(char kind) {
    skip_space(false);
    switch (kind) {
      case 'i':
        return integer(word());
      case 'f':
        return real<float>(word());
      case 's':
        return string();
      case 'I':
        return list('[', ']', [&] { return integer(word()); });
      case 'F':
        accept('f');
        return list('[', ']', [&] { return real<float>(word()); });
      case 'g':
        return body();
      case 'S':
        accept('s');
        return list('[', ']', [&] { return string(); });
      default: {
        const DType type = dtype();
        Dims d = dims();
        return std::make_shared<const Tensor>(braced(type, std::move(d)));
      }
    }
  }
  void node(std::vector<std::string> results, std::string_view op_name) {
    const auto op = find_op(op_name);
    if (!op) error("expected an operator, found \"", op_name, "\"");
    std::vector<ValueId> inputs = list('(', ')', [&] { return operand(); });
    Attributes attributes;
    std::string node_name;
    while (true) {
      skip_space(false);
      if (at_end() || peek() == '\n' || peek() == '}') break;
      if (accept('@')) {
        node_name = string();
        continue;
      }
      const std::string key(word());
      const char kind = attribute_kind(info(*op), key);
      if (kind == 0) error("unknown attribute ", key, " of ", op_name);
      expect('=', "\"=\"");
      attributes.set(key, attribute(kind));
    }
    graph_.add_node(*op, std::move(inputs), std::move(attributes), std::move(results),
                    std::move(node_name));
  }
  void statement() {
    const bool is_quoted = peek() == '%';
    std::vector<std::string> names = {value_name()};
    if (!is_quoted && names[0] == "output") {
      std::string name = value_name();
      const std::string source = accept('=') ? value_name() : name;
      graph_.add_output(std::move(name), known(source));
      return;
    }
    while (accept(',')) names.push_back(value_name());
    expect('=', "\"=\"");
    const std::string_view head = word();
    if (head == "input") {
      graph_.add_input(names[0], value_type());
    } else if (auto t = constant(head)) {
      graph_.add_constant(std::move(*t), names[0]);
    } else {
      node(std::move(names), head);
    }
  }

  static constexpr int kMaxDepth = 16;
  std::string_view text_;
  size_t at_ = 0;
  int depth_ = 0;
  Rng rng_;
  Graph graph_;
};

}  // namespace

std::string to_text(const Graph& graph, const PrintOptions& options) {
  std::string text;
  for (ValueId v : graph.inputs()) {
    const Value& value = graph.value(v);
    text += name_text(value.name) + " = input " + type_text(value.type) + "\n";
  }
  for (ValueId v : graph.constants())
    text += name_text(graph.value(v).name) + " = const " +
            tensor_text(*graph.constant(v), options.max_elements) + "\n";
  for (NodeId id : graph.topological_order()) {
    const Node& n = graph.node(id);
    std::string results, operands;
    for (ValueId v : n.outputs)
      results += (results.empty() ? "" : ", ") + name_text(graph.value(v).name);
    for (ValueId v : n.inputs)
      operands +=
          (operands.empty() ? "" : ", ") + (v.valid() ? name_text(graph.value(v).name) : "_");
    text += results + " = " + std::string(name(n.op)) + "(" + operands + ")";
    for (const auto& [key, value] : n.attributes)
      text += " " + key + "=" + attribute_text(value, options.max_elements);
    if (!n.name.empty()) text += " @" + quoted(n.name);
    text += "\n";
  }
  for (const GraphOutput& o : graph.outputs()) {
    const std::string& source = graph.value(o.value).name;
    text +=
        "output " + name_text(o.name) + (source == o.name ? "" : " = " + name_text(source)) + "\n";
  }
  return text;
}

Graph parse_graph(std::string_view text, u64 seed) { return Parser(text, seed).parse(); }

std::vector<std::pair<std::string, i64>> op_histogram(const Graph& graph) {
  std::map<std::string, i64> counts;
  for (NodeId n : graph.nodes()) ++counts[std::string(name(graph.node(n).op))];
  std::vector<std::pair<std::string, i64>> sorted(counts.begin(), counts.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  return sorted;
}

}  // namespace sinter
