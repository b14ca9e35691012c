// SPDX-License-Identifier: Apache-2.0
#include "cli/byte_size.h"

#include <charconv>
#include <cmath>

#include "base/error.h"

namespace sinter::cli {
namespace {

/// 0 when the suffix is unknown.
double unit_of(std::string suffix) {
  for (char& c : suffix)
    if (c >= 'a' && c <= 'z') c = char(c - 'a' + 'A');
  if (suffix.empty() || suffix == "B") return 1;
  const size_t power = std::string_view("KMGT").find(suffix[0]);
  if (power == std::string_view::npos) return 0;
  const std::string rest = suffix.substr(1);
  if (rest.empty() || rest == "IB") return std::pow(1024.0, double(power + 1));
  return rest == "B" ? std::pow(1000.0, double(power + 1)) : 0;
}

}  // namespace

i64 parse_byte_size(std::string_view text, std::string_view what) {
  double number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  std::string_view suffix = text.substr(size_t(end - text.data()));
  while (!suffix.empty() && suffix.front() == ' ') suffix.remove_prefix(1);
  const double bytes = number * unit_of(std::string(suffix));
  require(error == std::errc() && unit_of(std::string(suffix)) > 0 && bytes >= 0 &&
              bytes < std::exp2(62),
          ErrorKind::bad_argument, what, ": expected a size such as 16G, 512M or 900MB, found '",
          text, "'");
  return i64(bytes);
}

CLI::Option* add_byte_size(CLI::App& command, const std::string& name, i64& bytes,
                           const std::string& description) {
  return command
      .add_option_function<std::string>(
          name,
          [&bytes, name](const std::string& text) {
            try {
              bytes = parse_byte_size(text, name);
            } catch (const Error& e) {
              throw CLI::ValidationError(e.what());
            }
          },
          description)
      ->type_name("SIZE");
}

}  // namespace sinter::cli
