// SPDX-License-Identifier: Apache-2.0
// sinter run: a model in float32 on files. Everything runs at once; --batch cuts the items along a
// symbolic first dimension into chunks, when the model is proven to treat each item alone.
#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/timer.h"
#include "cli/classes.h"
#include "cli/config.h"
#include "cli/files.h"
#include "cli/npy.h"
#include "cli/progress_bar.h"
#include "cli/run_results.h"
#include "cli/table.h"
#include "cli/tensor_io.h"
#include "cli/verbs.h"
#include "graph/rows.h"
#include "onnx/import.h"
#include "passes/pipeline.h"
#include "runtime/executor.h"

namespace sinter::cli {
namespace {

struct Options {
  std::string model, output, labels, truth, compare, config;
  std::vector<std::string> inputs;
  std::optional<double> scale, offset;
  std::optional<i64> batch;  // absent: all at once
  int threads = 1;
  bool json = false;
};

/// The tensors of `parts` behind each other along the first dimension.
Tensor join(std::vector<Tensor> parts, const std::string& input) {
  if (parts.size() == 1) return std::move(parts[0]);
  Dims dims = parts[0].dims();
  require(!dims.empty(), ErrorKind::bad_argument, "run: input ", input,
          " is a scalar: expected one file");
  i64 items = 0;
  for (const Tensor& part : parts) {
    Dims same = part.dims();
    items += same[0];
    same[0] = dims[0];
    require(same == dims && part.dtype() == parts[0].dtype(), ErrorKind::bad_argument,
            "run: files of input ", input, " have different shapes: ", to_text(parts[0].dims()),
            " and ", to_text(part.dims()));
  }
  dims[0] = items;
  Tensor whole(parts[0].dtype(), dims);
  std::byte* out = whole.mutable_raw().data();
  for (const Tensor& part : parts) {
    std::memcpy(out, part.raw().data(), part.raw().size());
    out += part.raw().size();
  }
  return whole;
}

/// Which files belong to which input. A file without "name=" belongs to the only input.
std::map<std::string, std::vector<std::string>> files_by_input(const Graph& graph,
                                                               const Options& o) {
  std::map<std::string, std::vector<std::string>> files;
  std::string names;
  for (ValueId v : graph.inputs()) {
    files[graph.value(v).name];
    names += (names.empty() ? "" : ", ") + graph.value(v).name;
  }
  for (const std::string& text : o.inputs) {
    const size_t equal = text.find('=');
    std::string name = equal == std::string::npos ? "" : text.substr(0, equal);
    std::string path = equal == std::string::npos ? text : text.substr(equal + 1);
    if (equal == std::string::npos && files.size() == 1) name = files.begin()->first;
    require(files.contains(name), ErrorKind::bad_argument, "run: --input ", text,
            ": expected NAME=FILE with a name among ", names);
    files[name].push_back(path);
  }
  for (const auto& [name, paths] : files)
    require(!paths.empty(), ErrorKind::bad_argument, "run: input ", name,
            " is missing: add --input ", name, "=FILE");
  return files;
}

std::vector<Tensor> read_inputs(const Graph& graph, const Options& o) {
  InputScaling scaling;
  if (!o.config.empty()) scaling = read_config(o.config).input;
  if (o.scale) scaling.scale = o.scale;
  if (o.offset) scaling.offset = o.offset;
  const auto files = files_by_input(graph, o);
  std::vector<Tensor> tensors;
  for (ValueId v : graph.inputs()) {
    const std::string& name = graph.value(v).name;
    std::vector<Tensor> parts;
    for (const std::string& path : files.at(name))
      parts.push_back(read_input(path, name, graph.dtype(v), graph.shape(v), scaling));
    tensors.push_back(join(std::move(parts), name));
  }
  return tensors;
}

/// The common item count when every input and output has the same symbol first; 0 = run whole.
i64 item_count(const Graph& graph, const std::vector<Tensor>& inputs) {
  std::optional<Dim> symbol;
  const auto batched = [&](const std::optional<Shape>& shape) {
    if (!shape || shape->empty() || (*shape)[0].value() || !(*shape)[0].is_known()) return false;
    if (!symbol) symbol = (*shape)[0];
    return same(*symbol, (*shape)[0]);
  };
  for (ValueId v : graph.inputs())
    if (!batched(graph.shape(v))) return 0;
  for (const GraphOutput& out : graph.outputs())
    if (!batched(graph.shape(out.value))) return 0;
  const i64 items = inputs.empty() ? 0 : inputs[0].dim(0);
  for (const Tensor& t : inputs)
    if (t.dim(0) != items) return 0;
  return items;
}

std::vector<Tensor> run_chunk(const Graph& graph, const std::vector<Tensor>& inputs,
                              ThreadPool& pool, std::unique_ptr<Executor>& executor, Dims& shape) {
  const Dims wanted = inputs.empty() ? Dims{} : inputs[0].dims();
  if (!executor || wanted != shape) {
    InputShapes bound;
    for (size_t i = 0; i < inputs.size(); ++i)
      bound.shapes[graph.value(graph.inputs()[i]).name] = inputs[i].dims();
    executor = std::make_unique<Executor>(Program::compile(graph.clone(), bound), pool);
    shape = wanted;
  }
  return executor->run(inputs);
}

/// Chunks are right only when no output row depends on another item. The proof is tried on the
/// model as it is and on the optimized one, which computes the same with fewer shape operators.
void refuse_mixing(const Graph& graph, i64 batch) {
  if (why_rows_mix(graph).empty()) return;
  Graph simple = graph.clone();
  optimize(simple);
  const std::string why = why_rows_mix(simple);
  require(why.empty(), ErrorKind::bad_argument, "run: --batch ", batch, ": ", why,
          "; run all items at once, without --batch");
}

/// "f32[1000,1000] \"name\"", the largest value whose size the model itself tells; or empty.
std::string largest_value(const Graph& graph) {
  std::string text;
  double largest = 0;
  for (ValueId v : graph.values()) {
    const auto dims = graph.shape(v) ? static_dims(*graph.shape(v)) : std::nullopt;
    if (!dims) continue;
    double bytes = double(element_size(graph.dtype(v)));
    for (i64 d : *dims) bytes *= double(d);
    if (bytes <= largest) continue;
    largest = bytes;
    text = fmt::format("{}{} \"{}\"", name(graph.dtype(v)), to_text(*dims), graph.value(v).name);
  }
  return text;
}

std::vector<Tensor> run_all(const Graph& graph, const std::vector<Tensor>& inputs,
                            const Options& o) {
  ThreadPool pool(o.threads);
  std::unique_ptr<Executor> executor;
  Dims shape;
  const i64 items = o.batch ? item_count(graph, inputs) : 0;
  const i64 size = o.batch.value_or(0);
  if (items <= size) return run_chunk(graph, inputs, pool, executor, shape);
  refuse_mixing(graph, size);
  ProgressBar bar("run");
  std::vector<std::vector<Tensor>> parts(graph.outputs().size());
  for (i64 at = 0; at < items; at += size) {
    bar.update(at, items, "items");
    std::vector<Tensor> chunk;
    for (const Tensor& t : inputs) chunk.push_back(take(t, at, std::min(size, items - at)));
    std::vector<Tensor> results = run_chunk(graph, chunk, pool, executor, shape);
    for (size_t i = 0; i < results.size(); ++i) parts[i].push_back(std::move(results[i]));
  }
  std::vector<Tensor> outputs;
  for (auto& part : parts) outputs.push_back(join(std::move(part), "output"));
  return outputs;
}

/// An output's name as a file name: what a path could mistake becomes '_'.
std::string file_name(std::string name) {
  for (char& c : name)
    if (c == '/' || c == '\\' || c == ':' || c == '\0') c = '_';
  return name.empty() || name[0] == '.' ? "_" + name : name;
}

/// Where each output goes; none may be a file that is read.
std::vector<std::filesystem::path> output_paths(const Graph& graph, const Options& o) {
  std::vector<std::filesystem::path> paths;
  if (o.output.empty()) return paths;
  std::vector<std::string> read = {o.model, o.labels, o.truth, o.compare, o.config};
  for (const auto& [input, files] : files_by_input(graph, o))
    read.insert(read.end(), files.begin(), files.end());
  for (const GraphOutput& out : graph.outputs()) {
    paths.push_back(std::filesystem::path(o.output) / (file_name(out.name) + ".npy"));
    refuse_same_file(paths.back(), read);
    refuse_secret_key(paths.back());
  }
  return paths;
}

void write_outputs(const std::vector<std::filesystem::path>& paths,
                   const std::vector<Tensor>& outputs, const std::string& dir) {
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  require(!error, ErrorKind::io, dir, ": cannot create the folder: ", error.message());
  for (size_t i = 0; i < outputs.size(); ++i) write_npy(paths[i], outputs[i]);
}

void run_model(const Options& o) {
  const Graph graph = import_onnx(o.model, {.keep_overridable = false});
  const std::vector<std::filesystem::path> paths = output_paths(graph, o);
  const std::vector<Tensor> inputs = read_inputs(graph, o);
  const ClassNames names = o.labels.empty() ? ClassNames() : ClassNames::read(o.labels);
  const Timer timer;
  const std::vector<Tensor> outputs = [&] {
    try {
      return run_all(graph, inputs, o);
    } catch (const std::bad_alloc&) {
      const std::string value = largest_value(graph);
      fail(ErrorKind::unsupported, o.model, ": the tensors do not fit into memory",
           value.empty() ? "" : "; the largest of known size is " + value);
    }
  }();
  const double seconds = timer.wall_s();

  nlohmann::ordered_json json = {{"model", o.model}, {"seconds", seconds}};
  std::string text;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const std::string& name = graph.outputs()[i].name;
    const Tensor& t = outputs[i];
    nlohmann::ordered_json item = {
        {"name", name}, {"type", sinter::name(t.dtype())}, {"shape", t.dims()}};
    for (i64 r = 0; holds_scores(t) && r < std::min(t.dim(0), kMaxRowsShown); ++r)
      item["items"].push_back(scores_json(row(t, r), names));
    json["outputs"].push_back(std::move(item));
    text += describe_output(name, t, names) + "\n";
  }
  if (!o.truth.empty()) {
    const Judgement j = judge_accuracy(outputs.at(0), o.truth);
    json["accuracy"] = j.json;
    text += j.text;
  }
  if (!o.compare.empty()) {
    const Judgement j = judge_difference(outputs.at(0), o.compare);
    json["comparison"] = j.json;
    text += j.text;
  }
  if (!o.output.empty()) {
    write_outputs(paths, outputs, o.output);
    text += fmt::format("written to {}\n", o.output);
  }
  text += fmt::format("{} on {} threads\n", seconds_text(seconds), o.threads);
  print(o.json ? json.dump(2) + "\n" : text);
}

}  // namespace

void add_run(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("run", "run a model in float32");
  command->add_option("model", o->model, "ONNX file")->required();
  command
      ->add_option("--input", o->inputs,
                   "NAME=FILE: PNG, .npy or TensorProto .pb; once per input, or several times for "
                   "several images")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_option("--output", o->output, "folder that gets one .npy per output");
  command->add_option("--labels", o->labels, "text file with one class name a line");
  command->add_option("--truth", o->truth, ".npy of true classes: prints the accuracy");
  command->add_option("--compare", o->compare, ".npy of expected values: prints the difference");
  command->add_option("--scale", o->scale, "factor for integer pixels (default 1/255)");
  command->add_option("--offset", o->offset, "added to scaled pixels (default 0)");
  command->add_option("--config", o->config, "take scale and offset from this scheme.yaml");
  command
      ->add_option("--batch", o->batch,
                   "items that run at once (default: all); refused unless the model treats each "
                   "item alone")
      ->check(between(1, 1e6));
  add_threads(*command, o->threads);
  add_json(*command, o->json);
  command->footer("Example:\n  sinter run fused.onnx --input x=image.png --output results");
  command->callback([=] { run_model(*o); });
}

}  // namespace sinter::cli
