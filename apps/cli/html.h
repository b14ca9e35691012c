// SPDX-License-Identifier: Apache-2.0
// What the reports' pages are made of: one static file, no script, nothing from elsewhere, readable
// on paper and on light and dark screens. Pages are well-formed XML too, so a test can parse them.
// Text that comes from outside is escaped here and nowhere else: names of models are arbitrary.
//
// Series are told apart by place, outline and dashes, and by two colours that colour-blind readers
// can tell apart (Okabe and Ito 2008). Every drawing has a title and says in words what it shows.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace sinter::cli::html {

/// For text and attributes. Bytes that XML has no place for, control characters and broken UTF-8,
/// become U+FFFD.
std::string escaped(std::string_view text);

/// The whole file. title, subtitle: plain text; body: markup.
std::string page(std::string_view title, std::string_view subtitle, std::string_view body);
std::string heading(std::string_view text);
/// class_name: "", "good" or "bad".
std::string paragraph(std::string_view text, std::string_view class_name = "");
/// Something to unfold. summary: plain text; body: markup.
std::string details(std::string_view summary, std::string_view body,
                    std::string_view class_name = "");

/// The figures at the top of a page.
class Cards {
 public:
  void add(std::string_view value, std::string_view label);
  std::string text() const;

 private:
  std::string cards_;
};

/// Cells are plain text. Columns are right-aligned unless their title starts with '<', which is not
/// shown.
class Table {
 public:
  explicit Table(std::vector<std::string> titles);
  /// As many cells as titles.
  void add(const std::vector<std::string>& cells);
  bool empty() const { return rows_.empty(); }
  std::string text() const;

 private:
  std::vector<std::string> titles_;
  std::string rows_;
};

/// An inline drawing of width x height units, which scrolls where the page is narrower.
/// title and description are read out in its place.
std::string drawing(i64 width, i64 height, std::string_view title, std::string_view description,
                    std::string_view shapes);
/// The end of a name: `text`, or "…" and at most `most` of its last bytes, whole characters of
/// them.
std::string tail(std::string_view text, size_t most);
/// anchor: start, middle or end.
std::string label(double x, double y, std::string_view text, std::string_view anchor = "start");

struct Series {
  std::string name;
  std::vector<double> values;  ///< one per label; negative: none
};

/// One bar per label and series, at most two series, with its number beside it.
std::string bars(std::string_view title, std::string_view description,
                 const std::vector<std::string>& labels, const std::vector<Series>& series,
                 const std::function<std::string(double)>& number);

struct Line {
  std::string name;
  std::vector<std::pair<double, double>> points;  ///< ascending x
};

/// Up to three lines over a common axis from zero.
std::string lines(std::string_view title, std::string_view description,
                  const std::vector<Line>& lines, const std::function<std::string(double)>& x_text,
                  const std::function<std::string(double)>& y_text);

}  // namespace sinter::cli::html
