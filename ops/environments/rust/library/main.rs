use serde::Deserialize;
use tokio::io::{stdin, AsyncReadExt};

#[derive(Deserialize)]
struct Person {
    name: String,
    age: u32,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut text = String::new();
    stdin().read_to_string(&mut text).await.unwrap();
    let people: Vec<Person> = serde_json::from_str(&text).unwrap();
    let oldest = people.iter().max_by_key(|person| person.age).unwrap();
    println!("{} is {}", oldest.name, oldest.age);
}
