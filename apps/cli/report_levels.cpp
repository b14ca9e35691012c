// SPDX-License-Identifier: Apache-2.0
// The level diagram: layers from left to right, levels upwards. A layer is a stroke from the level
// at which it works to the level of its result; one that rises is a bootstrap, drawn as an arrow.
// Values travel to the right at their level and drop, dashed, where a reader stands lower. Circles
// are joins.
#include <fmt/format.h>

#include <algorithm>

#include "cli/html.h"
#include "cli/report_sections.h"

namespace sinter::cli {
namespace {

constexpr double kColumn = 26, kLeft = 60, kTop = 30, kNames = 170;

struct Scale {
  int highest;
  double step;  ///< of a level

  double y(int level) const { return kTop + double(highest - level) * step; }
  static double x(i64 layer) { return kLeft + double(layer) * kColumn; }
};

Scale scale_of(const ReportView& view) {
  int highest = 1;
  for (const ReportLayer& layer : view.layers)
    highest = std::max({highest, layer.level_in, layer.level_out});
  return {highest, std::clamp(380.0 / highest, 2.0, 30.0)};
}

std::string grid(const Scale& scale, double width) {
  std::string shapes;
  const int step = scale.highest > 60 ? 10 : scale.highest > 30 ? 5 : scale.highest > 12 ? 2 : 1;
  for (int level = 0; level <= scale.highest; level += step) {
    shapes += fmt::format("<path d=\"M{} {:.1f}H{}\" class=\"grid\"/>", kLeft - 6, scale.y(level),
                          width - 10);
    shapes += html::label(kLeft - 12, scale.y(level) + 4, std::to_string(level), "end");
  }
  return shapes + html::label(8, kTop - 14, "level") + "\n";
}

std::string edge_path(const ReportEdge& edge, const Scale& scale) {
  const double to = Scale::x(edge.to);
  return fmt::format("<path d=\"M{} {:.1f}H{}V{:.1f}\" class=\"{}\"/>",
                     Scale::x(edge.from) + kColumn * 0.7, scale.y(edge.level_from), to,
                     scale.y(edge.level_to), edge.is_main ? "l0" : "l1");
}

std::string layer_shape(const ReportView& view, i64 l, bool is_main, const Scale& scale) {
  const ReportLayer& layer = view.layers[size_t(l)];
  const double x = Scale::x(l), end = x + kColumn * 0.7;
  const int in = layer.level_in < 0 ? layer.level_out : layer.level_in;
  const std::string title = html::escaped(
      fmt::format("{}: {} {}, level {} to {}", l, layer.op, layer.name, in, layer.level_out));
  std::string shapes =
      fmt::format("<path d=\"M{} {:.1f}L{} {:.1f}\" class=\"{}\"><title>{}</title></path>", x,
                  scale.y(in), end, scale.y(layer.level_out), is_main ? "l0" : "l1", title);
  if (layer.level_out > in)
    shapes += fmt::format("<path d=\"M{0} {1:.1f}l-5 9h10z\" class=\"mark\"/>", end,
                          scale.y(layer.level_out));
  const double below = scale.y(0) + 14;
  const std::string name = html::tail(layer.name, 26);
  shapes += fmt::format("<g transform=\"translate({} {:.1f}) rotate(-65)\">{}</g>\n", x + 8, below,
                        html::label(0, 0, fmt::format("{} {}", l, name), "end"));
  return shapes;
}

std::string join_mark(const ReportJoin& join, const Scale& scale) {
  return fmt::format(
      "<circle cx=\"{}\" cy=\"{:.1f}\" r=\"4\" class=\"mark\"><title>{}</title></circle>",
      Scale::x(join.layer), scale.y(join.a.level),
      html::escaped(
          fmt::format("{} in layer {}: both arms at level {}", join.op, join.layer, join.a.level)));
}

/// Layers in the rows of a table: "3, 7".
std::string numbers(const std::vector<i64>& layers) {
  std::string text;
  for (i64 layer : layers) text += (text.empty() ? "" : ", ") + std::to_string(layer);
  return text;
}

std::string joins_table(const ReportView& view) {
  html::Table table({"instruction", "<operation", "<in layer", "<arm a: values of layers", "level",
                     "<arm b: values of layers", "level", "<levels"});
  for (const ReportJoin& join : view.joins)
    table.add({std::to_string(join.instruction), join.op,
               fmt::format("{} {}", join.layer, view.layers[size_t(join.layer)].name),
               numbers(join.a.layers), std::to_string(join.a.level), numbers(join.b.layers),
               std::to_string(join.b.level), join.is_equal() ? "equal" : "DIFFERENT"});
  return table.empty() ? ""
                       : html::details("Every join, with the levels of both arms", table.text());
}

/// Levels that a value of the main path loses without a layer that spends them.
std::vector<const ReportEdge*> gaps(const ReportView& view) {
  std::vector<const ReportEdge*> found;
  for (const ReportEdge& edge : view.edges)
    if (edge.is_main && edge.level_to < edge.level_from) found.push_back(&edge);
  return found;
}

i64 unequal_joins(const ReportView& view) {
  return std::count_if(view.joins.begin(), view.joins.end(),
                       [](const ReportJoin& join) { return !join.is_equal(); });
}

std::string counted(i64 count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

/// The diagram in words.
std::string words_of(const ReportView& view, i64 gap_count) {
  const i64 different = unequal_joins(view);
  const i64 bootstraps =
      std::count_if(view.layers.begin(), view.layers.end(), [](const ReportLayer& layer) {
        return layer.level_in >= 0 && layer.level_out > layer.level_in;
      });
  return fmt::format(
      "From level {} to level {} over {}; {}; {}, {}; {} on the main path.",
      view.layers.front().level_out, view.layers.back().level_out,
      counted(std::ssize(view.layers), "layer"), counted(bootstraps, "bootstrap"),
      counted(std::ssize(view.joins), "join"),
      different == 0 ? "both arms of each at one level" : fmt::format("{} UNEQUAL", different),
      counted(gap_count, "level gap"));
}

}  // namespace

std::string level_section(const ReportView& view) {
  const Scale scale = scale_of(view);
  std::vector<bool> is_main(view.layers.size(), view.edges.empty());
  for (const ReportEdge& edge : view.edges)
    if (edge.is_main) is_main[size_t(edge.from)] = is_main[size_t(edge.to)] = true;
  const double width = Scale::x(std::ssize(view.layers)) + 40;
  std::string shapes = grid(scale, width);
  for (const bool main : {false, true})  // the main path lies on top
    for (const ReportEdge& edge : view.edges)
      if (edge.is_main == main) shapes += edge_path(edge, scale);
  for (i64 l = 0; l < std::ssize(view.layers); ++l)
    shapes += layer_shape(view, l, is_main[size_t(l)], scale);
  for (const ReportJoin& join : view.joins) shapes += join_mark(join, scale);
  const auto main_gaps = gaps(view);
  const i64 different = unequal_joins(view);
  const std::string words = words_of(view, std::ssize(main_gaps));
  std::string body = html::heading("Levels");
  body += html::paragraph(words, different == 0 ? "" : "bad");
  body += html::paragraph(
      "Solid: the longest chain of layers. Dashed: shortcuts and parallel branches. Circle: two "
      "values are added or multiplied. Arrow: a bootstrap. The numbers below are the layers of the "
      "table at the end.",
      "sub");
  body += html::drawing(i64(width), i64(scale.y(0) + kNames), "levels by layer", words, shapes);
  for (const ReportEdge* edge : main_gaps)
    body +=
        html::paragraph(fmt::format("The value of layer {} drops from level {} to {} before "
                                    "layer {}, which stands lower.",
                                    edge->from, edge->level_from, edge->level_to, edge->to));
  return body + joins_table(view);
}

}  // namespace sinter::cli
