// SPDX-License-Identifier: Apache-2.0
#include "cli/html.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace sinter::cli::html {
namespace {

constexpr std::string_view kStyle = R"(
:root{color-scheme:light dark;--ink:#1d2430;--soft:#5c6675;--back:#f6f7f9;--panel:#fff;--rule:#dfe3e8;
--head:#eef1f4;--good:#1b6e3c;--bad:#b3261e;--s0:#0072b2;--s1:#c45a00;--s2:#5c6675}
@media (prefers-color-scheme:dark){:root{--ink:#e6e9ee;--soft:#a3adba;--back:#14181e;--panel:#1d232b;
--rule:#343c47;--head:#262d37;--good:#7fd1a0;--bad:#ff9a91;--s0:#56b4e9;--s1:#f0a54a;--s2:#a3adba}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--back);margin:0}
main{max-width:72rem;margin:0 auto;padding:2rem 1rem 4rem}
h1{font-size:1.5rem;margin:0 0 .25rem;overflow-wrap:anywhere}h2{font-size:1.1rem;margin:2.2rem 0 .6rem}
.sub{color:var(--soft)}.cards{display:flex;flex-wrap:wrap;gap:.8rem;margin:1.4rem 0}
.card{background:var(--panel);border:1px solid var(--rule);border-radius:8px;padding:.7rem 1rem;
min-width:9rem}.card b{display:block;font-size:1.25rem}.card span{color:var(--soft);font-size:.85rem}
.wide{overflow-x:auto}
table{border-collapse:collapse;background:var(--panel);width:100%;font-size:.9rem}
th,td{padding:.3rem .6rem;border-bottom:1px solid var(--rule);text-align:left;vertical-align:top}
th{background:var(--head);font-weight:600}.n{text-align:right;font-variant-numeric:tabular-nums}
.bad{color:var(--bad)}.good{color:var(--good)}details{margin:.3rem 0}summary{cursor:pointer}
pre{white-space:pre-wrap}
svg{display:block;background:var(--panel)}svg text{font:11px system-ui,sans-serif;fill:var(--ink)}
.grid{stroke:var(--rule);fill:none}.b0{fill:var(--s0)}.b1{fill:var(--panel);stroke:var(--s1);stroke-width:1.5}
.l0,.l1,.l2{fill:none;stroke-width:2}.l0{stroke:var(--s0)}.l1{stroke:var(--s1);stroke-dasharray:6 3}
.l2{stroke:var(--s2);stroke-dasharray:2 3}.mark{fill:var(--panel);stroke:var(--ink);stroke-width:1.5}
)";

/// Bytes of the UTF-8 character at `at` that XML may hold, 0 when there is none.
size_t character(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(at);
  if (first < 0x80) return first >= 0x20 && first != 0x7f ? 1 : first == '\t' || first == '\n';
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || at + length > text.size()) return 0;
  u32 code = first & (0x7fu >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xc0) != 0x80) return 0;
    code = code << 6 | (byte(at + i) & 0x3fu);
  }
  const bool is_short = code < (length == 2 ? 0x80u : length == 3 ? 0x800u : 0x10000u);
  const bool is_surrogate = code >= 0xd800 && code < 0xe000;
  return is_short || is_surrogate || code > 0x10ffff || (code & 0xfffe) == 0xfffe ? 0 : length;
}

std::string legend(std::string_view shape, size_t index, double x, std::string_view name) {
  const std::string mark =
      shape == "b" ? fmt::format("<rect x=\"{}\" y=\"5\" width=\"12\" height=\"9\" class=\"b{}\"/>",
                                 x, index)
                   : fmt::format("<path d=\"M{} 10h24\" class=\"l{}\"/>", x, index);
  return mark + label(x + (shape == "b" ? 17 : 30), 14, name);
}

/// 1, 2 or 5 times a power of ten, so that about `count` steps reach `largest`.
double step_for(double largest, double count) {
  if (!(largest > 1e-12)) return 1;
  const double power = std::pow(10, std::floor(std::log10(largest / count)));
  for (const double step : {1.0, 2.0, 5.0})
    if (largest / (step * power) <= count) return step * power;
  return 10 * power;
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t length = character(text, at);
    const std::string_view found = text.substr(at, length);
    if (length == 0) {
      out += "\uFFFD";
    } else if (found == "&") {
      out += "&amp;";
    } else if (found == "<") {
      out += "&lt;";
    } else if (found == ">") {
      out += "&gt;";
    } else if (found == "\"") {
      out += "&quot;";
    } else {
      out += found;
    }
    at += std::max<size_t>(1, length);
  }
  return out;
}

std::string page(std::string_view title, std::string_view subtitle, std::string_view body) {
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width\"/>\n<title>sinter: {}</title>\n"
      "<style>{}</style></head>\n<body><main>\n<h1>{}</h1>\n<div class=\"sub\">{}</div>\n{}"
      "</main></body></html>\n",
      escaped(title), kStyle, escaped(title), escaped(subtitle), body);
}

std::string heading(std::string_view text) { return "<h2>" + escaped(text) + "</h2>\n"; }

std::string paragraph(std::string_view text, std::string_view class_name) {
  if (class_name.empty()) return "<p>" + escaped(text) + "</p>\n";
  return fmt::format("<p class=\"{}\">{}</p>\n", class_name, escaped(text));
}

std::string details(std::string_view summary, std::string_view body, std::string_view class_name) {
  return fmt::format("<details><summary class=\"{}\">{}</summary>\n{}</details>\n", class_name,
                     escaped(summary), body);
}

void Cards::add(std::string_view value, std::string_view label) {
  cards_ += fmt::format("<div class=\"card\"><b>{}</b><span>{}</span></div>\n", escaped(value),
                        escaped(label));
}

std::string Cards::text() const { return "<div class=\"cards\">\n" + cards_ + "</div>\n"; }

Table::Table(std::vector<std::string> titles) : titles_(std::move(titles)) {}

void Table::add(const std::vector<std::string>& cells) {
  SINTER_ASSERT(cells.size() == titles_.size());
  rows_ += "<tr>";
  for (size_t c = 0; c < cells.size(); ++c)
    rows_ +=
        (titles_[c].starts_with('<') ? "<td>" : "<td class=\"n\">") + escaped(cells[c]) + "</td>";
  rows_ += "</tr>\n";
}

std::string Table::text() const {
  std::string head;
  for (const std::string& title : titles_)
    head += title.starts_with('<') ? "<th>" + escaped(title.substr(1)) + "</th>"
                                   : "<th class=\"n\">" + escaped(title) + "</th>";
  return "<div class=\"wide\"><table><thead><tr>" + head + "</tr></thead><tbody>\n" + rows_ +
         "</tbody></table></div>\n";
}

std::string drawing(i64 width, i64 height, std::string_view title, std::string_view description,
                    std::string_view shapes) {
  return fmt::format(
      "<div class=\"wide\"><svg role=\"img\" width=\"{}\" height=\"{}\" viewBox=\"0 0 {} {}\">\n"
      "<title>{}</title><desc>{}</desc>\n{}</svg></div>\n",
      width, height, width, height, escaped(title), escaped(description), shapes);
}

std::string tail(std::string_view text, size_t most) {
  if (text.size() <= most) return std::string(text);
  size_t at = text.size() - most;
  while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80) ++at;
  return "…" + std::string(text.substr(at));
}

std::string label(double x, double y, std::string_view text, std::string_view anchor) {
  return fmt::format("<text x=\"{:.6g}\" y=\"{:.6g}\" text-anchor=\"{}\">{}</text>", x, y, anchor,
                     escaped(text));
}

std::string bars(std::string_view title, std::string_view description,
                 const std::vector<std::string>& labels, const std::vector<Series>& series,
                 const std::function<std::string(double)>& number) {
  constexpr double kBar = 11, kLeft = 290, kWidth = 640;
  const double row = kBar * double(series.size()) + 8;
  double most = 0;
  for (const Series& s : series)
    for (double v : s.values) most = std::max(most, v);
  std::string shapes;
  for (size_t s = 0; s < series.size(); ++s)
    shapes += legend("b", s, kLeft + 150 * double(s), series[s].name);
  double y = 24;
  for (size_t l = 0; l < labels.size(); ++l, y += row) {
    shapes += label(kLeft - 8, y + row / 2, labels[l], "end");
    for (size_t s = 0; s < series.size(); ++s) {
      const double v = series[s].values[l], top = y + kBar * double(s);
      if (v < 0) continue;
      const double width = most == 0 ? 0 : v / most * kWidth;
      shapes +=
          fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{:.1f}\" height=\"{}\" class=\"b{}\"/>",
                      kLeft, top, width, kBar - 2, s);
      shapes += label(kLeft + width + 5, top + kBar - 2, number(v));
    }
    shapes += "\n";
  }
  return drawing(1060, i64(y) + 6, title, description, shapes);
}

std::string lines(std::string_view title, std::string_view description,
                  const std::vector<Line>& lines, const std::function<std::string(double)>& x_text,
                  const std::function<std::string(double)>& y_text) {
  constexpr double kLeft = 80, kTop = 26, kWidth = 900, kHeight = 240;
  double last = 0, most = 0;
  for (const Line& line : lines)
    for (const auto& [x, y] : line.points) last = std::max(last, x), most = std::max(most, y);
  const auto at_x = [&](double x) { return kLeft + (last > 0 ? x / last : 0) * kWidth; };
  const auto at_y = [&](double y) { return kTop + kHeight * (1 - (most > 0 ? y / most : 0)); };
  std::string shapes;
  const double step_y = step_for(most, 6), step_x = step_for(last, 10);
  for (double y = 0; y <= most * (1 + 1e-9); y += step_y) {
    shapes += fmt::format("<path d=\"M{} {:.1f}h{}\" class=\"grid\"/>", kLeft, at_y(y), kWidth);
    shapes += label(kLeft - 6, at_y(y) + 4, y_text(y), "end");
  }
  for (double x = 0; x <= last * (1 + 1e-9); x += step_x)
    shapes += label(at_x(x), kTop + kHeight + 16, x_text(x), "middle");
  for (size_t l = 0; l < lines.size(); ++l) {
    shapes += legend("l", l, kLeft + 260 * double(l), lines[l].name);
    std::string path;
    for (const auto& [x, y] : lines[l].points)
      path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", at_x(x), at_y(y));
    shapes += fmt::format("<path d=\"{}\" class=\"l{}\"/>\n", path, l);
  }
  return drawing(i64(kLeft + kWidth) + 60, i64(kTop + kHeight) + 26, title, description, shapes);
}

}  // namespace sinter::cli::html
