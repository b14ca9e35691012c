// SPDX-License-Identifier: Apache-2.0
// sinter debug: where an encrypted run loses precision. For the owner of the data: it holds the
// secret key and the evaluation keys at once, runs the program encrypted, decrypts what every layer
// gives and compares it with the same program on doubles; with --model also with what the float64
// network has there, and the result with the float32 network. A server cannot do this and must
// never be asked to.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/file.h"
#include "base/timer.h"
#include "ckks/encoder.h"
#include "ckks/noise.h"
#include "ckks/secret_key.h"
#include "cli/config.h"
#include "cli/files.h"
#include "cli/key_files.h"
#include "cli/network_values.h"
#include "cli/progress_bar.h"
#include "cli/report.h"
#include "cli/table.h"
#include "cli/tensor_io.h"
#include "cli/verbs.h"
#include "encrypted/client.h"
#include "encrypted/precision.h"
#include "encrypted/simulate.h"
#include "onnx/import.h"
#include "runtime/executor.h"

namespace sinter::cli {
namespace {

using encrypted::EncryptedProgram;
using Slots = std::vector<double>;

constexpr std::string_view kWarning =
    "These figures come from decrypted intermediate values: they tell of the secret key and of the "
    "data. Keep them with the key (docs/security.md).";
/// A model whose result differs by more, relative to the largest element, is another network.
constexpr double kSameNetwork = 1e-2;

struct Options {
  std::string program, key, eval, model, input, html;
  i64 index = 0;
  double bits = 0;
  int threads = 1;
  bool json = false;
};

/// One layer's result against the program on doubles and against the network.
struct LayerError {
  double largest = 0;          ///< |value|
  double error = 0, mean = 0;  ///< largest and root mean square of the differences
  double network_error = -1;   ///< largest difference to the network's value; -1: not known
  std::string network_value;   ///< its name
  double bits() const { return ckks::precision_estimate({largest, mean}); }
};

Tensor read_image(const EncryptedProgram& program, const Options& o) {
  Shape shape = to_shape(program.input_dims);
  if (!shape.empty()) shape[0] = Dim::symbol("images");
  const Tensor images =
      read_input(o.input, program.input_name, DType::f32, shape, load_scaling(program.metadata));
  if (images.rank() == 0) return images.clone();
  require(o.index < images.dim(0), ErrorKind::bad_argument, o.input, ": --index ", o.index,
          ": the file holds ", images.dim(0), " images, counted from 0");
  return take(images, o.index, 1);
}

double largest_of(std::span<const double> values) {
  double largest = 0;
  for (double v : values) largest = std::max(largest, std::abs(v));
  return largest;
}

Slots doubles_of(const Tensor& tensor) {
  Slots values;
  for (i64 e = 0; e < tensor.size(); ++e) values.push_back(tensor.as_double(e));
  return values;
}

double largest_difference(std::span<const double> a, std::span<const double> b) {
  double largest = 0;
  for (size_t e = 0; e < a.size(); ++e) largest = std::max(largest, std::abs(a[e] - b[e]));
  return largest;
}

/// The float32 network's result; refuses a network that is not the program's.
Slots float_result(const Options& o, const Graph& graph, const Tensor& image,
                   std::span<const double> simulated) {
  require(graph.inputs().size() == 1 && graph.outputs().size() == 1, ErrorKind::bad_argument,
          o.model, ": expected one input and one output, found ", graph.inputs().size(), " and ",
          graph.outputs().size());
  const Slots result = doubles_of(run_once(graph, std::span(&image, 1))[0]);
  const double difference = result.size() == simulated.size()
                                ? largest_difference(result, simulated)
                                : std::numeric_limits<double>::infinity();
  require(difference <= kSameNetwork * largest_of(result), ErrorKind::bad_argument, o.model,
          ": is not the network of ", o.program, ": results of ", result.size(), " and ",
          simulated.size(), " elements that differ by ", difference,
          "; give the model that the program was compiled from");
  return result;
}

class Comparison {
 public:
  Comparison(const LoadedProgram& loaded, const ckks::SecretKey& secret)
      : p_(*loaded.program),
        context_(*loaded.context),
        secret_(secret),
        results_(encrypted::layer_results(p_)),
        exact_(p_.layers.size()),
        errors_(p_.layers.size()) {}

  /// The program on doubles; the slots of its result.
  Slots simulate(std::span<const Slots> inputs) {
    return encrypted::simulate(p_, inputs, {0, [this](i64 k, std::span<const double> slots) {
                                              if (is_result(k))
                                                exact_[layer_of(k)] = {slots.begin(), slots.end()};
                                            }});
  }

  /// Values to compare with beside those of the program.
  void set_network(std::vector<encrypted::LayerValues> values) {
    for (encrypted::LayerValues& v : values) network_[size_t(v.layer)] = std::move(v);
  }

  void compare(const encrypted::Measured& m) {
    if (!is_result(m.instruction)) return;
    const Slots& exact = exact_[layer_of(m.instruction)];
    const Slots slots = ckks::decode(context_, ckks::decrypt(context_, secret_, *m.result));
    LayerError& e = errors_[layer_of(m.instruction)];
    double squares = 0;
    for (size_t s = 0; s < exact.size(); ++s) squares += std::pow(slots[s] - exact[s], 2);
    e.largest = largest_of(exact);
    e.error = largest_difference(slots, exact);
    e.mean = std::sqrt(squares / double(exact.size()));
    const auto network = network_.find(layer_of(m.instruction));
    if (network == network_.end()) return;
    e.network_value = network->second.value;
    for (size_t i = 0; i < network->second.slot.size(); ++i)
      e.network_error = std::max(e.network_error, std::abs(slots[size_t(network->second.slot[i])] -
                                                           network->second.expected[i]));
  }

  const std::vector<LayerError>& errors() const { return errors_; }
  int level_of(size_t layer) const {
    return results_[layer] < 0 ? 0 : p_.instructions[size_t(results_[layer])].level;
  }

 private:
  size_t layer_of(i64 k) const { return size_t(p_.instructions[size_t(k)].layer); }
  bool is_result(i64 k) const { return results_[layer_of(k)] == k; }

  const EncryptedProgram& p_;
  const ckks::Context& context_;
  const ckks::SecretKey& secret_;
  std::vector<i32> results_;
  std::vector<Slots> exact_;
  std::vector<LayerError> errors_;
  std::map<size_t, encrypted::LayerValues> network_;  // by layer
};

std::vector<ckks::Ciphertext> encrypt_image(const LoadedProgram& loaded,
                                            const ckks::SecretKey& secret, const Tensor& image) {
  ring::SecretRng rng;
  std::vector<ckks::Ciphertext> inputs;
  for (const ckks::Plaintext& plaintext :
       encrypted::encode_input(*loaded.program, *loaded.context, image)) {
    inputs.push_back(ckks::encrypt_symmetric(*loaded.context, secret, plaintext, rng));
    inputs.back().set_origin({secret.id(), loaded.program->hash});
  }
  return inputs;
}

/// The first layer with fewer bits than asked for, -1 without one.
i64 first_below(const std::vector<LayerError>& errors, double bits) {
  const auto at = std::find_if(errors.begin(), errors.end(),
                               [&](const LayerError& e) { return e.bits() < bits; });
  return at == errors.end() ? -1 : at - errors.begin();
}

std::string errors_text(const EncryptedProgram& program, const Comparison& comparison, i64 below) {
  Table table({"layer", "<name", "<kind", "level", "largest |value|", "largest error", "bits",
               "predicted", "from network", "<"});
  for (size_t l = 0; l < program.layers.size(); ++l) {
    const encrypted::Layer& layer = program.layers[l];
    const LayerError& e = comparison.errors()[l];
    table.add({std::to_string(l), layer.name, layer.op, std::to_string(comparison.level_of(l)),
               fmt::format("{:.4g}", e.largest), fmt::format("{:.2e}", e.error),
               fmt::format("{:.1f}", e.bits()),
               layer.error > 0
                   ? fmt::format("{:.1f}", ckks::precision_estimate({layer.range, layer.error}))
                   : "",
               e.network_error < 0 ? "" : fmt::format("{:.2e}", e.network_error),
               i64(l) == below ? "<- first below --bits" : ""});
  }
  return table.text();
}

void add_errors(nlohmann::ordered_json& report, const Comparison& comparison) {
  for (size_t l = 0; l < comparison.errors().size(); ++l) {
    const LayerError& e = comparison.errors()[l];
    report["layers"][l]["measured_largest"] = e.largest;
    report["layers"][l]["measured_error"] = e.error;
    report["layers"][l]["measured_bits"] = e.bits();
    if (e.network_error < 0) continue;
    report["layers"][l]["network_value"] = e.network_value;
    report["layers"][l]["network_error"] = e.network_error;
  }
}

void run_debug(const Options& o) {
  if (!o.html.empty()) require_output(o.html, {o.program, o.key, o.eval, o.model, o.input});
  const LoadedProgram loaded = read_program(o.program);
  const EncryptedProgram& program = *loaded.program;
  const auto key_file = MappedFile::open(o.key);
  const ckks::SecretKey secret = ckks::load_secret_key(*loaded.context, key_file->bytes(), o.key);
  ThreadPool pool(o.threads);
  const ServerKeys server = read_evaluation_keys(*loaded.context, o.eval, pool);
  const Tensor image = read_image(program, o);

  Comparison comparison(loaded, secret);
  const Slots simulated = comparison.simulate(encrypted::pack_input(program, image));
  const Slots expected = doubles_of(encrypted::unpack_output(program, simulated));
  Slots floats;
  if (!o.model.empty()) {
    const Graph model = import_onnx(o.model, {.keep_overridable = false});
    floats = float_result(o, model, image, expected);
    comparison.set_network(network_values(model, program, image));
  }

  RunRecorder recorder(program);
  const auto record = recorder.callback();
  const Timer timer;
  Slots slots;
  {
    ProgressBar bar("debug");
    const ckks::Ciphertext output = encrypted::execute(
        program, *loaded.context, server.keys, encrypt_image(loaded, secret, image), pool,
        {.progress = bar.callback(), .observe = [&](const encrypted::Measured& m) {
           record(m);
           comparison.compare(m);
         }});
    slots = ckks::decode(*loaded.context, ckks::decrypt(*loaded.context, secret, output));
  }
  recorder.finish(o.input, timer.wall_s(), timer.cpu_s());
  const Slots result = doubles_of(encrypted::unpack_output(program, slots));
  const double model_error = floats.empty() ? -1 : largest_difference(result, floats);
  const i64 below = first_below(comparison.errors(), o.bits);

  nlohmann::ordered_json report =
      plan_report(program, encrypted::explain_program(program), o.program);
  report["warning"] = kWarning;
  report["threads"] = o.threads;
  report["first_layer_below"] = below;
  if (model_error >= 0) report["model_error"] = model_error;
  recorder.add_to(report);
  add_errors(report, comparison);
  write_report(report, "", o.html);
  warn_if_insecure(loaded.context->params());
  if (o.json) return print(report_text(report));
  std::string text = errors_text(program, comparison, below);
  if (model_error >= 0)
    text +=
        fmt::format("result      differs from {} in float32 by at most {:.2e}, largest {:.4g}\n",
                    o.model, model_error, largest_of(floats));
  if (below >= 0)
    text += fmt::format("precision   layer {} \"{}\" is the first below {:g} bits\n", below,
                        program.layers[size_t(below)].name, o.bits);
  print(text + fmt::format("warning     {}\n", kWarning));
}

}  // namespace

void add_debug(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "debug",
      "compare an encrypted run with the plain one, layer by layer (client: it needs the "
      "secret key)");
  command->add_option("program", o->program, "compiled program")->required();
  command->add_option("--key", o->key, "secret key of the client; never give it to a server")
      ->required();
  command->add_option("--eval", o->eval, "evaluation keys made by `sinter keygen`")->required();
  command->add_option("--input", o->input, "PNG, .npy or TensorProto .pb")->required();
  command->add_option("--index", o->index, "which image of a .npy that holds several")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option(
      "--model", o->model,
      "the ONNX file of the program: compares with the network, layer by layer, too");
  command->add_option("--bits", o->bits, "mark the first layer with fewer bits of precision")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--html", o->html, "write the report as a page here, one file");
  add_threads(*command, o->threads);
  add_json(*command, o->json);
  command->footer(
      "It decrypts intermediate values, which no server can and which are as secret as the key.\n"
      "Example:\n  sinter debug net.sinter --key client.key --eval server.keys --model model.onnx "
      "--input image.npy");
  command->callback([=] { run_debug(*o); });
}

}  // namespace sinter::cli
