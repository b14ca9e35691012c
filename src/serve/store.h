// SPDX-License-Identifier: Apache-2.0
// What a worker holds: values, and parts of linear maps that are not finished, by request.
#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "ckks/ciphertext.h"
#include "ckks/linear_parts.h"

namespace sinter::serve {

/// thread: safe
class Store {
 public:
  using Value = std::shared_ptr<const ckks::Ciphertext>;
  using Part = std::shared_ptr<const ckks::LinearPart>;
  using Parts = std::map<u32, Part>;  ///< by PartId::number()

  void put(u64 request, i32 value, Value x) {
    const std::lock_guard lock(mutex_);
    values_[{request, value}] = std::move(x);
  }
  void put(u64 request, i32 value, u32 part, Part x) {
    const std::lock_guard lock(mutex_);
    parts_[{request, value}][part] = std::move(x);
  }
  /// nullptr when it is not here
  Value find(u64 request, i32 value) const {
    const std::lock_guard lock(mutex_);
    const auto it = values_.find({request, value});
    return it == values_.end() ? nullptr : it->second;
  }
  Parts parts(u64 request, i32 value) const {
    const std::lock_guard lock(mutex_);
    const auto it = parts_.find({request, value});
    return it == parts_.end() ? Parts() : it->second;
  }
  void erase(u64 request, i32 value) {
    const std::lock_guard lock(mutex_);
    values_.erase({request, value});
    parts_.erase({request, value});
  }
  void erase_part(u64 request, i32 value, u32 part) {
    const std::lock_guard lock(mutex_);
    const auto it = parts_.find({request, value});
    if (it != parts_.end()) it->second.erase(part);
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::pair<u64, i32>, Value> values_;
  std::map<std::pair<u64, i32>, Parts> parts_;
};

}  // namespace sinter::serve
