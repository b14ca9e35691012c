// SPDX-License-Identifier: Apache-2.0
#include "cli/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "base/error.h"

namespace sinter::cli {
namespace {

/// Characters, not bytes: names in UTF-8 stay aligned.
i64 width_of(const std::string& text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; });
}

}  // namespace

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 ? c != '\t' : byte == 0x7f;
}

std::string printable(std::string text) {
  std::replace_if(text.begin(), text.end(), is_control, '?');
  return text;
}

Table::Table(std::vector<std::string> titles) : titles_(std::move(titles)) {
  for (std::string& title : titles_) {
    left_.push_back(title.starts_with('<'));
    if (left_.back()) title.erase(0, 1);
  }
}

void Table::add(std::vector<std::string> cells) {
  SINTER_ASSERT(cells.size() == titles_.size());
  for (std::string& cell : cells) cell = printable(std::move(cell));
  rows_.push_back(std::move(cells));
}

void Table::rule() { rows_.emplace_back(); }

std::string Table::text() const {
  std::vector<i64> widths;
  for (size_t c = 0; c < titles_.size(); ++c) {
    i64 width = width_of(titles_[c]);
    for (const auto& row : rows_)
      if (!row.empty()) width = std::max(width, width_of(row[c]));
    widths.push_back(width);
  }
  std::string out;
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string text;
    for (size_t c = 0; c < cells.size(); ++c) {
      const std::string pad(size_t(widths[c] - width_of(cells[c])), ' ');
      text += c == 0 ? "" : "  ";
      text += left_[c] ? cells[c] + pad : pad + cells[c];
    }
    text.erase(text.find_last_not_of(' ') + 1);
    out += text + "\n";
  };
  std::vector<std::string> dashes;
  for (i64 width : widths) dashes.emplace_back(size_t(width), '-');
  line(titles_);
  line(dashes);
  for (const auto& row : rows_) line(row.empty() ? dashes : row);
  return out;
}

std::string bytes_text(i64 bytes) {
  if (bytes < 1000) return fmt::format("{} B", bytes);
  double value = double(bytes);
  const char* unit = "";
  for (const char* next : {"kB", "MB", "GB", "TB"}) {
    if (value < 999.5) break;
    value /= 1000;
    unit = next;
  }
  return value < 9.95 ? fmt::format("{:.1f} {}", value, unit)
                      : fmt::format("{:.0f} {}", value, unit);
}

std::string seconds_text(double seconds) {
  if (seconds < 0.0995) return fmt::format("{:.2f} ms", seconds * 1e3);
  if (seconds < 0.9995) return fmt::format("{:.0f} ms", seconds * 1e3);
  if (seconds < 99.95) return fmt::format("{:.1f} s", seconds);
  const i64 whole = i64(seconds + 0.5);
  return fmt::format("{} min {:02} s", whole / 60, whole % 60);
}

std::string count_text(i64 count) {
  std::string text = std::to_string(count);
  for (i64 at = std::ssize(text) - 3; at > (count < 0 ? 1 : 0); at -= 3)
    text.insert(size_t(at), 1, ',');
  return text;
}

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  require(std::fflush(stdout) == 0, ErrorKind::io, "standard output: cannot write");
}

}  // namespace sinter::cli
