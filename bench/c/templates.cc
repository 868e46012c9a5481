// Tables of many types: what templates make of little source. Compiled with -DPART=0 -DCOUNT=8, copied and linked many times
// by large_program.py, it is a program of the size of a browser's library.
#include <algorithm>
#include <map>
#include <memory>
#include <regex>
#include <string>
#include <unordered_map>
#include <vector>
namespace {
template <int N> struct Key { std::string text; int number; bool operator<(const Key &o) const { return number + N < o.number || text < o.text; } };
template <int N> struct Table {
    std::map<Key<N>, std::vector<std::pair<Key<N>, long>>> sorted;
    std::unordered_map<std::string, std::shared_ptr<Key<N>>> hashed;
    long fill(int count) {
        long sum = N;
        for (int i = 0; i < count; i++) {
            Key<N> key{std::to_string(i), i};
            sorted[key].push_back({key, i});
            hashed[key.text] = std::make_shared<Key<N>>(key);
        }
        for (auto &[key, values] : sorted) {
            std::sort(values.begin(), values.end(), [](const auto &a, const auto &b) { return a.second + N > b.second; });
            std::stable_sort(values.begin(), values.end(), [](const auto &a, const auto &b) { return b.first < a.first; });
            sum += values.size();
        }
        return sum;
    }
};
template <int N> long all(int count) { if constexpr (N == 0) return 0; else return Table<N + 1000 * PART>().fill(count) + all<N - 1>(count); }
}
#define NAME2(x) part_##x
#define NAME(x) NAME2(x)
long NAME(PART)(int count) { return all<COUNT>(count); }
