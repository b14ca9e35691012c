// SPDX-License-Identifier: Apache-2.0
#include "cli/config.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <bit>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <functional>

#include "base/file.h"

namespace sinter::cli {
namespace {

/// One place in the file, for messages.
struct Where {
  const std::string& file;
  YAML::Node node;
  std::string key;

  template <class... Parts>
  [[noreturn]] void bad(const Parts&... parts) const {
    const int line = node.Mark().line;
    if (line < 0) fail(ErrorKind::bad_argument, file, ": ", key, ": ", parts...);
    fail(ErrorKind::bad_argument, file, ":", line + 1, ": ", key, ": ", parts...);
  }
  template <class T>
  T as(const char* expected) const {
    T value{};
    if (!node.IsScalar() || !YAML::convert<T>::decode(node, value))
      bad("expected ", expected, found());
    return value;
  }
  std::string found() const {
    if (node.IsScalar()) return ", found '" + node.Scalar() + "'";
    if (node.IsSequence()) return ", found a list";
    if (node.IsMap()) return ", found a map";
    return ", found nothing";
  }
  double number() const {
    const double value = as<double>("a number");
    if (!std::isfinite(value)) bad("expected a finite number", found());
    return value;
  }
  int integer() const { return as<int>("an integer"); }
  std::vector<int> integers() const {
    if (!node.IsSequence()) bad("expected a list of integers", found());
    std::vector<int> values;
    for (const YAML::Node& item : node) values.push_back(Where{file, item, key}.integer());
    return values;
  }
};

struct KeyRow {
  std::string_view name;
  std::function<void(const Where&)> read;
};

std::string names(const std::vector<KeyRow>& rows) {
  std::string text;
  for (const KeyRow& row : rows) text += (text.empty() ? "" : ", ") + std::string(row.name);
  return text;
}

/// Reads a map by its table of keys.
void read_map(const Where& at, const std::vector<KeyRow>& rows) {
  if (at.node.IsNull()) return;
  if (!at.node.IsMap()) at.bad("expected a map with the keys ", names(rows), at.found());
  std::vector<std::string> seen;
  for (const auto& pair : at.node) {
    const std::string key = pair.first.IsScalar() ? pair.first.Scalar() : "(not a word)";
    const std::string path = at.key == "file" ? key : at.key + "." + key;
    const auto row =
        std::find_if(rows.begin(), rows.end(), [&](const KeyRow& r) { return r.name == key; });
    if (row == rows.end())
      Where{at.file, pair.first, path}.bad("unknown key: expected one of ", names(rows));
    if (std::find(seen.begin(), seen.end(), key) != seen.end())
      Where{at.file, pair.first, path}.bad("given twice");
    seen.push_back(key);
    row->read({at.file, pair.second, path});
  }
}

void read_secret(const Where& at, encrypted::SchemeOptions& scheme) {
  if (at.node.IsScalar() && at.node.Scalar() == "ternary") {
    scheme.secret = ckks::SecretKind::ternary;
    return;
  }
  if (!at.node.IsMap()) at.bad("expected auto, ternary or {hamming: weight}", at.found());
  scheme.secret = ckks::SecretKind::sparse;
  if (at.node.size() == 0) at.bad("expected ternary or {hamming: weight}, found an empty map");
  read_map(at, {{"hamming", [&](const Where& w) { scheme.hamming_weight = w.integer(); }}});
}

void read_security(const Where& at, encrypted::SchemeOptions& scheme) {
  const std::string text = at.node.IsScalar() ? at.node.Scalar() : "";
  if (text != "128" && text != "none_for_tests")
    at.bad("expected 128 or none_for_tests", at.found());
  scheme.security = text == "128" ? ckks::Security::bits128 : ckks::Security::none_for_tests;
}

/// Reads a key that the compiler may choose: `auto` leaves it open.
template <class Read>
void read_open(const Where& at, bool& open, const Read& read) {
  open = at.node.IsScalar() && at.node.Scalar() == "auto";
  if (!open) read();
}

/// A message at q_0 needs room for its sign and for values above one.
void check_room(const Where& at, const encrypted::SchemeOptions& scheme,
                encrypted::OpenKeys& open) {
  const bool is_chain = !scheme.log_q.empty();
  if (is_chain) open = {};  // what is left out keeps its default
  if (open.log_scale) return;
  const int log_q0 = is_chain ? scheme.log_q[0] : scheme.log_q0;
  if (i64(log_q0) < i64(scheme.log_scale) + 2)
    at.bad(is_chain ? "the first of log_q" : "log_q0", " is ", log_q0, ", log_scale is ",
           scheme.log_scale, ": expected a first prime of at least log_scale + 2 bits");
}

double read_scale(const Where& at) {
  const double scale = at.number();
  if (scale == 0) at.bad("expected a number other than 0", at.found());
  return scale;
}

void read_bootstrap(const Where& at, encrypted::BootstrapChoice& choice) {
  // YAML has no word for none: what is not a scalar is refused by bootstrap_choice too.
  try {
    choice = bootstrap_choice(at.node.IsScalar() ? at.node.Scalar() : std::string());
  } catch (const Error&) {
    at.bad("expected none, auto, fast or precise", at.found());
  }
}

std::string word(const Where& at) { return at.node.IsScalar() ? at.node.Scalar() : ""; }

void read_packing(const Where& at, encrypted::PackingOptions& packing) {
  if (!parse_packing(word(at), packing)) at.bad("expected packed or separate", at.found());
}

void read_batch(const Where& at, encrypted::PackingOptions& packing) {
  if (!parse_batch(word(at), packing)) at.bad("expected auto or a power of two", at.found());
}

void read_flag(const Where& at, bool& flag) { flag = at.as<bool>("true or false"); }

}  // namespace

bool parse_packing(const std::string& text, encrypted::PackingOptions& packing) {
  packing.join_branches = text == "packed";
  return text == "packed" || text == "separate";
}

bool parse_batch(const std::string& text, encrypted::PackingOptions& packing) {
  packing.batch = 0;
  if (text == "auto") return true;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, packing.batch);
  return error == std::errc() && rest == end && packing.batch >= 1 &&
         std::has_single_bit(u64(packing.batch));
}

Config read_config(const std::filesystem::path& path) {
  const std::string file = path.string();
  const auto mapped = MappedFile::open(path);
  const auto bytes = mapped->bytes();
  Config config;
  encrypted::SchemeOptions& s = config.scheme;
  encrypted::OpenKeys& open = config.open;
  YAML::Node root;
  try {
    root = YAML::Load(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  } catch (const YAML::ParserException& e) {
    fail(ErrorKind::bad_argument, file, ":", e.mark.line + 1, ": not YAML: ", e.msg);
  }
  const std::vector<KeyRow> ckks_keys = {
      {"log_n", [&](const Where& w) { read_open(w, open.log_n, [&] { s.log_n = w.integer(); }); }},
      {"log_q0",
       [&](const Where& w) { read_open(w, open.log_q0, [&] { s.log_q0 = w.integer(); }); }},
      {"log_scale",
       [&](const Where& w) { read_open(w, open.log_scale, [&] { s.log_scale = w.integer(); }); }},
      {"log_q", [&](const Where& w) { s.log_q = w.integers(); }},
      {"log_p", [&](const Where& w) { read_open(w, open.log_p, [&] { s.log_p = w.integers(); }); }},
      {"secret", [&](const Where& w) { read_open(w, open.secret, [&] { read_secret(w, s); }); }},
      {"security", [&](const Where& w) { read_security(w, s); }}};
  const std::vector<KeyRow> input_keys = {
      {"scale", [&](const Where& w) { config.input.scale = read_scale(w); }},
      {"offset", [&](const Where& w) { config.input.offset = w.number(); }}};
  const std::vector<KeyRow> compile_keys = {
      {"margin", [&](const Where& w) { config.margin = w.number(); }},
      {"pay_for_affine", [&](const Where& w) { read_flag(w, config.pay_for_affine); }},
      {"bootstrap", [&](const Where& w) { read_bootstrap(w, config.bootstrap); }},
      {"packing", [&](const Where& w) { read_packing(w, config.packing); }},
      {"batch", [&](const Where& w) { read_batch(w, config.packing); }}};
  read_map({file, root, "file"}, {{"ckks",
                                   [&](const Where& w) {
                                     read_map(w, ckks_keys);
                                     check_room(w, s, open);
                                   }},
                                  {"input", [&](const Where& w) { read_map(w, input_keys); }},
                                  {"compile", [&](const Where& w) { read_map(w, compile_keys); }}});
  return config;
}

encrypted::BootstrapChoice bootstrap_choice(const std::string& word) {
  using Choice = encrypted::BootstrapChoice;
  constexpr std::pair<std::string_view, Choice> kWords[] = {{"none", Choice::none},
                                                            {"auto", Choice::automatic},
                                                            {"fast", Choice::fast},
                                                            {"precise", Choice::precise}};
  for (const auto& [name, choice] : kWords)
    if (word == name) return choice;
  fail(ErrorKind::bad_argument, "bootstrap: expected none, auto, fast or precise, found '", word,
       "'");
}

void store_scaling(const InputScaling& scaling, std::map<std::string, std::string>& metadata) {
  if (scaling.scale) metadata["input.scale"] = fmt::format("{:.17g}", *scaling.scale);
  if (scaling.offset) metadata["input.offset"] = fmt::format("{:.17g}", *scaling.offset);
}

InputScaling load_scaling(const std::map<std::string, std::string>& metadata) {
  const auto number = [&](const char* key) -> std::optional<double> {
    const auto it = metadata.find(key);
    if (it == metadata.end()) return std::nullopt;
    char* end = nullptr;
    const double value = std::strtod(it->second.c_str(), &end);
    require(end != it->second.c_str() && *end == '\0' && std::isfinite(value), ErrorKind::bad_input,
            "program: metadata ", key, ": expected a number, found '", it->second, "'");
    return value;
  };
  return {number("input.scale"), number("input.offset")};
}

}  // namespace sinter::cli
