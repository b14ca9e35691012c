// SPDX-License-Identifier: Apache-2.0
// What `sinter debug` finds layer by layer. Client code: it decrypts intermediate values.
#pragma once
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "ckks/noise.h"
#include "ckks/secret_key.h"
#include "encrypted/execute.h"
#include "encrypted/layer_values.h"

namespace sinter::cli {

/// One layer's result against the program on doubles and against the network.
struct LayerError {
  double largest = 0;          ///< |value|
  double error = 0, mean = 0;  ///< largest and root mean square of the differences
  /// Bits less than the worst of the layers that it reads; negative where it has more.
  double lost = 0;
  double network_error = -1;  ///< largest difference to the network's value; -1: not known
  std::string network_value;  ///< its name
  /// Nothing but zeros, as behind a black image: there is no value that an error could be small
  /// beside.
  bool is_blank() const { return largest == 0 && mean > 0; }
  double bits() const { return is_blank() ? 0 : ckks::precision_estimate({largest, mean}); }
};

/// Compares an encrypted run with the same program on doubles. Borrows everything; owned by one
/// thread.
class LayerComparison {
 public:
  LayerComparison(const encrypted::EncryptedProgram& program, const ckks::Context& context,
                  const ckks::SecretKey& secret);

  /// The program on doubles; the slots of its result. Before compare().
  std::vector<double> simulate(std::span<const std::vector<double>> inputs);
  /// Values to compare with beside those of the program.
  void set_network(std::vector<encrypted::LayerValues> values);
  /// For ExecuteOptions::observe.
  void compare(const encrypted::Measured& measured);
  /// Once the run is over.
  void finish();

  const std::vector<LayerError>& errors() const { return errors_; }
  /// The first layer with fewer bits than asked for, -1 without one. Blank ones do not count.
  i64 first_below(double bits) const;
  /// The layer that loses most bits, -1 when none loses any.
  i64 most_lost() const;
  /// A line a layer; `below` is marked.
  std::string table(i64 below) const;
  /// Adds to the layers of a report (report.h).
  void add_to(nlohmann::ordered_json& report) const;

 private:
  size_t layer_of(i64 k) const { return size_t(p_.instructions[size_t(k)].layer); }
  bool is_result(i64 k) const { return results_[layer_of(k)] == k; }
  void compare_network(LayerError& error, size_t layer, std::span<const double> slots) const;

  const encrypted::EncryptedProgram& p_;
  const ckks::Context& context_;
  const ckks::SecretKey& secret_;
  std::vector<i32> results_;
  std::vector<std::vector<double>> exact_;
  std::vector<LayerError> errors_;
  std::map<size_t, encrypted::LayerValues> network_;  // by layer
};

/// max |v|, and max |a - b| over the elements of a, infinity where one of them is not finite.
double largest_of(std::span<const double> values);
double largest_difference(std::span<const double> a, std::span<const double> b);

}  // namespace sinter::cli
