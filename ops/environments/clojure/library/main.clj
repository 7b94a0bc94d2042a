(require '[clojure.data.json :as json]
         '[clojure.string :as string])

(let [people (json/read-str (slurp *in*) :key-fn keyword)]
  (println (string/join ", " (sort (map :name people)))))
