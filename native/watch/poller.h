#pragma once

#include <array>
#include <cstddef>
#include <optional>

#include "sockets/filter.h"
#include "sockets/interface_list.h"
#include "sockets/reader.h"
#include "watch/batch.h"
#include "watch/difference.h"
#include "watch/endings.h"
#include "watch/network.h"
#include "watch/query.h"

namespace earshot::watch {

using Descriptors = std::array<int, 3>;

/**
 * What was there at the last poll, and what has become of it since. Of the namespace of the thread
 * that makes it, which alone uses it.
 */
class Poller {
 public:
  /** The query must outlive it. */
  explicit Poller(const Query& query);

  /** Takes the first look at those who wait for peers, and then at the others. */
  void startWaiting();
  void startAll();

  /** For poll(2), -1 for none: who speaks there is taken in by hear(). */
  Descriptors descriptors() const;

  /** Takes in what the kernel has told since. */
  void hear();

  /** Looks again, and remembers what is different; not before that has been told. */
  void poll();

  /** Has a poll found something that is not yet told? */
  bool found() const { return missed_ || told_ < total(); }

  /** Has the network changed since that was told? */
  bool heard() const { return network_ != 0; }

  /** Tells what is not yet told, as much as a batch may hold. */
  void tell(Batch& batch);

 private:
  Indexed read();
  void keepThoseThere(Indexed& now);
  void joinRequests();
  void sortFleeting();
  size_t total() const;

  const Query& query_;
  const sockets::Query waitingQuery_;
  const sockets::Query connectedQuery_;
  sockets::Reader reader_;
  std::optional<Endings> endings_;
  Network heardOf_;
  sockets::InterfaceList interfaces_;
  bool interfacesAreOld_ = true;
  std::optional<sockets::Filter> filter_;
  /** Of parts that were read apart, until both are there. */
  sockets::Table first_;
  Indexed before_;
  Indexed after_;
  Difference difference_;
  sockets::Table fleeting_;
  /** How many of the changes have been told: closed, opened, changed and fleeting in this order. */
  size_t told_ = 0;
  bool missed_ = false;
  uint32_t network_ = 0;
};

}  // namespace earshot::watch
