import Data.List.Split (splitOn)
import qualified Data.Map.Strict as Map

main :: IO ()
main = do
  line <- getLine
  let counts = Map.fromListWith (+) [(word, 1 :: Int) | word <- splitOn "," line]
  mapM_ (\(word, count) -> putStrLn (word ++ " " ++ show count)) (Map.toList counts)
