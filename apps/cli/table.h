// SPDX-License-Identifier: Apache-2.0
// What the commands print: aligned tables, and numbers the way a person reads them.
#pragma once
#include <string>
#include <vector>

#include "base/types.h"

namespace sinter::cli {

/// A character that moves the cursor of a terminal or does worse.
bool is_control(char c);
/// The text with '?' for each of them: names in files are arbitrary.
std::string printable(std::string text);

/// Columns are right-aligned unless their title starts with '<', which is not printed.
class Table {
 public:
  explicit Table(std::vector<std::string> titles);
  /// As many cells as titles.
  void add(std::vector<std::string> cells);
  /// A line above the rows that follow, for totals.
  void rule();
  bool empty() const { return rows_.empty(); }
  /// Title, rule, rows; each line ends in '\n' and has no trailing blanks.
  std::string text() const;

 private:
  std::vector<std::string> titles_;
  std::vector<bool> left_;
  std::vector<std::vector<std::string>> rows_;  // an empty row is a rule
};

std::string bytes_text(i64 bytes);         ///< "812 B", "1.4 MB": powers of 1000
std::string seconds_text(double seconds);  ///< "3.1 ms", "12.4 s", "2 min 05 s"
std::string count_text(i64 count);         ///< "10,000"

/// Writes to stdout at once, whole.
void print(const std::string& text);

}  // namespace sinter::cli
