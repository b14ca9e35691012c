// SPDX-License-Identifier: Apache-2.0
#include "cli/units_file.h"

#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"

namespace sinter::cli {
namespace {

using Json = nlohmann::ordered_json;
using encrypted::Unit;
using encrypted::UnitCosts;
using encrypted::WorkKind;

constexpr int kFormat = 1;

std::optional<Isa> isa_named(std::string_view text) {
  for (Isa isa : {Isa::scalar, Isa::avx2, Isa::avx512ifma})
    if (text == name(isa)) return isa;
  return std::nullopt;
}

double number(const Json& at, std::string_view key, double low, double high) {
  const double value = at.at(std::string(key)).get<double>();
  require(value >= low && value <= high, ErrorKind::bad_input, key, ": expected a number from ",
          low, " to ", high, ", found ", value);
  return value;
}

UnitCosts row_of(const Json& at) {
  UnitCosts row;
  row.log_n = i64(number(at, "log_n", 4, 17));
  for (size_t u = 0; u < encrypted::kUnitCount; ++u)
    row.seconds[u] = number(at.at("seconds"), encrypted::name(Unit(u)), 0, 10);
  for (size_t k = 0; k < encrypted::kWorkKindCount; ++k)
    row.two_threads[k] = number(at.at("two_threads"), encrypted::name(WorkKind(k)), 1, 2);
  return row;
}

}  // namespace

std::filesystem::path units_path(Isa isa) {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  std::filesystem::path folder;
  if (cache != nullptr && *cache != '\0')
    folder = cache;
  else if (home != nullptr && *home != '\0')
    folder = std::filesystem::path(home) / ".cache";
  else
    return {};
  return folder / "sinter" / ("units-" + std::string(name(isa)) + ".json");
}

void make_units_folder(const std::filesystem::path& path) {
  if (!path.has_parent_path()) return;
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  require(!error, ErrorKind::io, path.parent_path().string(),
          ": cannot make this folder: ", error.message());
}

void write_units(const encrypted::UnitTable& units, const std::filesystem::path& path) {
  Json json = {{"format", kFormat}, {"isa", std::string(name(units.isa))}};
  for (const UnitCosts& row : units.sizes) {
    Json entry = {{"log_n", row.log_n}};
    for (size_t u = 0; u < encrypted::kUnitCount; ++u)
      entry["seconds"][std::string(encrypted::name(Unit(u)))] = row.seconds[u];
    for (size_t k = 0; k < encrypted::kWorkKindCount; ++k)
      entry["two_threads"][std::string(encrypted::name(WorkKind(k)))] = row.two_threads[k];
    json["sizes"].push_back(entry);
  }
  const std::string text = json.dump(2) + "\n";
  write_file(path, std::as_bytes(std::span(text)));
}

encrypted::UnitTable read_units(const std::filesystem::path& path) {
  const auto mapped = MappedFile::open(path);
  const auto bytes = mapped->bytes();
  const char* text = reinterpret_cast<const char*>(bytes.data());
  try {
    const Json json = Json::parse(text, text + bytes.size());
    require(json.at("format").get<int>() == kFormat, ErrorKind::bad_input, "format: expected ",
            kFormat);
    const auto isa = isa_named(json.at("isa").get<std::string>());
    require(isa.has_value(), ErrorKind::bad_input, "isa: unknown");
    encrypted::UnitTable units{"measured", *isa, {}};
    for (const Json& entry : json.at("sizes")) {
      units.sizes.push_back(row_of(entry));
      require(units.sizes.size() == 1 ||
                  units.sizes.back().log_n > units.sizes[units.sizes.size() - 2].log_n,
              ErrorKind::bad_input, "sizes: expected ascending log_n");
    }
    require(!units.sizes.empty(), ErrorKind::bad_input, "sizes: expected at least one");
    return units;
  } catch (const Json::exception& e) {
    fail(ErrorKind::bad_input, path.string(), ": not a file of `sinter calibrate`: ", e.what());
  } catch (const Error& e) {
    fail(ErrorKind::bad_input, path.string(), ": ", e.what(), "; run `sinter calibrate` again");
  }
}

encrypted::UnitTable units_for(const std::string& option) {
  if (const auto isa = isa_named(option)) return encrypted::built_in_units(*isa);
  if (!option.empty()) return read_units(option);
  const std::filesystem::path path = units_path(active_isa());
  std::error_code error;
  if (!path.empty() && std::filesystem::exists(path, error)) return read_units(path);
  return encrypted::built_in_units();
}

}  // namespace sinter::cli
