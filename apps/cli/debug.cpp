// SPDX-License-Identifier: Apache-2.0
// sinter debug: where an encrypted run loses precision. For the owner of the data: it holds the
// secret key and the evaluation keys at once, runs the program encrypted, decrypts what every layer
// gives and compares it with the same program on doubles; with --model also with what the float64
// network has there, and the result with the float32 network. A server cannot do this and must
// never be asked to.
#include <fmt/format.h>

#include "base/file.h"
#include "base/timer.h"
#include "ckks/encoder.h"
#include "ckks/secret_key.h"
#include "cli/config.h"
#include "cli/debug_layers.h"
#include "cli/files.h"
#include "cli/key_files.h"
#include "cli/network_values.h"
#include "cli/progress_bar.h"
#include "cli/report.h"
#include "cli/table.h"
#include "cli/tensor_io.h"
#include "cli/verbs.h"
#include "encrypted/client.h"
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

Slots doubles_of(const Tensor& tensor) {
  Slots values;
  for (i64 e = 0; e < tensor.size(); ++e) values.push_back(tensor.as_double(e));
  return values;
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

/// What a comparison found beside the layers.
struct Findings {
  Slots result;
  double model_error = -1;    ///< of the result against the float32 network; -1: no model given
  double model_largest = 0;   ///< its largest |element|
  bool knows_layers = false;  ///< the model's layers were found in the program
};

/// The program on doubles and the network, for the layers to be compared with.
Findings expect(const Options& o, const EncryptedProgram& program, const Tensor& image,
                LayerComparison& comparison, Slots& floats) {
  Findings found;
  const Slots simulated = comparison.simulate(encrypted::pack_input(program, image));
  if (o.model.empty()) return found;
  const Graph model = import_onnx(o.model, {.keep_overridable = false});
  floats = float_result(o, model, image, doubles_of(encrypted::unpack_output(program, simulated)));
  std::vector<encrypted::LayerValues> layers = network_values(model, program, image);
  found.knows_layers = !layers.empty();
  comparison.set_network(std::move(layers));
  return found;
}

/// The encrypted run; the decrypted result.
Slots run_encrypted(const Options& o, const LoadedProgram& loaded, const ckks::SecretKey& secret,
                    const Tensor& image, LayerComparison& comparison, RunRecorder& recorder) {
  const EncryptedProgram& program = *loaded.program;
  ThreadPool pool(o.threads);
  const ServerKeys server = read_evaluation_keys(*loaded.context, o.eval, pool);
  const auto record = recorder.callback();
  const Timer timer;
  ProgressBar bar("debug");
  const ckks::Ciphertext output = encrypted::execute(
      program, *loaded.context, server.keys, encrypt_image(loaded, secret, image), pool,
      {.progress = bar.callback(), .observe = [&](const encrypted::Measured& m) {
         record(m);
         comparison.compare(m);
       }});
  recorder.finish(o.input, timer.wall_s(), timer.cpu_s());
  comparison.finish();
  return doubles_of(encrypted::unpack_output(
      program, ckks::decode(*loaded.context, ckks::decrypt(*loaded.context, secret, output))));
}

std::string findings_text(const Options& o, const EncryptedProgram& program,
                          const LayerComparison& comparison, const Findings& found) {
  const i64 below = comparison.first_below(o.bits), lost = comparison.most_lost();
  std::string text = comparison.table(below);
  if (found.model_error >= 0)
    text +=
        fmt::format("result      differs from {} in float32 by at most {:.2e}, largest {:.4g}\n",
                    o.model, found.model_error, found.model_largest);
  if (found.model_error >= 0 && !found.knows_layers)
    text += "network     its layers could not be matched with the program's: only the result is\n";
  if (lost >= 0) {
    const LayerError& e = comparison.errors()[size_t(lost)];
    const encrypted::Layer& layer = program.layers[size_t(lost)];
    text += fmt::format("lost most   in layer {} \"{}\" ({}): {:.1f} bits, from {:.1f} to {:.1f}\n",
                        lost, printable(layer.name), layer.op, e.lost, e.bits() + e.lost, e.bits());
  }
  if (below >= 0)
    text += fmt::format("precision   layer {} \"{}\" is the first below {:g} bits\n", below,
                        printable(program.layers[size_t(below)].name), o.bits);
  return text + fmt::format("warning     {}\n", kWarning);
}

void run_debug(const Options& o) {
  if (!o.html.empty()) require_output(o.html, {o.program, o.key, o.eval, o.model, o.input});
  const LoadedProgram loaded = read_program(o.program);
  const EncryptedProgram& program = *loaded.program;
  const auto key_file = MappedFile::open(o.key);
  const ckks::SecretKey secret = ckks::load_secret_key(*loaded.context, key_file->bytes(), o.key);
  const Tensor image = read_image(program, o);

  LayerComparison comparison(program, *loaded.context, secret);
  RunRecorder recorder(program);
  Slots floats;
  Findings found = expect(o, program, image, comparison, floats);
  found.result = run_encrypted(o, loaded, secret, image, comparison, recorder);
  if (!floats.empty()) {
    found.model_error = largest_difference(found.result, floats);
    found.model_largest = largest_of(floats);
  }

  nlohmann::ordered_json report =
      plan_report(program, encrypted::explain_program(program), o.program);
  report["warning"] = kWarning;
  report["threads"] = o.threads;
  report["first_layer_below"] = comparison.first_below(o.bits);
  report["layer_that_loses_most"] = comparison.most_lost();
  if (found.model_error >= 0) report["model_error"] = found.model_error;
  recorder.add_to(report);
  comparison.add_to(report);
  write_report(report, "", o.html);
  warn_if_insecure(loaded.context->params());
  print(o.json ? report_text(report) : findings_text(o, program, comparison, found));
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
      ->check(at_least(0))
      ->capture_default_str();
  command->add_option(
      "--model", o->model,
      "the ONNX file of the program: compares with the network, layer by layer, too");
  command->add_option("--bits", o->bits, "mark the first layer with fewer bits of precision")
      ->check(at_least(0));
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
