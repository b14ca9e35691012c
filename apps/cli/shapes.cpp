// SPDX-License-Identifier: Apache-2.0
#include "cli/shapes.h"

#include <charconv>

namespace sinter::cli {
namespace {

std::vector<i64> dims_of(std::string_view list, std::string_view whole) {
  std::vector<i64> dims;
  while (true) {
    i64 dim = 0;
    const auto [end, status] = std::from_chars(list.data(), list.data() + list.size(), dim);
    const bool ends = end == list.data() + list.size();
    require(status == std::errc() && dim >= 0 && (ends || *end == ','), ErrorKind::bad_argument,
            "input shape \"", whole, "\": expected NAME:1,3,224,224");
    dims.push_back(dim);
    if (ends) return dims;
    list.remove_prefix(size_t(end - list.data()) + 1);
  }
}

ValueId find_input(const Graph& graph, std::string_view name, std::string_view whole) {
  std::string names;
  for (ValueId v : graph.inputs()) {
    if (graph.value(v).name == name || (name.empty() && graph.inputs().size() == 1)) return v;
    names += (names.empty() ? "" : ", ") + graph.value(v).name;
  }
  fail(ErrorKind::bad_argument, "input shape \"", whole, "\": expected one of the inputs ", names);
}

void overwrite_one(Graph& graph, std::string_view text) {
  const size_t colon = text.rfind(':');  // names may hold colons
  const std::string_view name =
      colon == std::string_view::npos ? std::string_view() : text.substr(0, colon);
  const ValueId input = find_input(graph, name, text);
  const std::vector<i64> dims =
      dims_of(colon == std::string_view::npos ? text : text.substr(colon + 1), text);
  const std::optional<Shape>& before = graph.shape(input);
  bool fits = !before || before->size() == dims.size();
  for (size_t i = 0; fits && before && i < dims.size(); ++i)
    fits = !(*before)[i].value() || (*before)[i].is(dims[i]);
  require(fits, ErrorKind::bad_argument, "input shape \"", text, "\": input \"",
          graph.value(input).name, "\" has shape ", before ? to_text(*before) : "unknown");
  graph.set_input_type(input, graph.dtype(input), to_shape(dims));
}

}  // namespace

void overwrite_shapes(Graph& graph, const std::vector<std::string>& texts) {
  for (std::string_view text : texts)
    while (!text.empty()) {
      const size_t blank = std::min(text.find(' '), text.size());
      if (blank > 0) overwrite_one(graph, text.substr(0, blank));
      text.remove_prefix(std::min(blank + 1, text.size()));
    }
  if (!texts.empty()) graph.infer_all();
}

}  // namespace sinter::cli
